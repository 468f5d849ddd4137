/**
 * What `--fail-if` says: `job_success<0.95 && ratio.latency.done.p99>1.2`. Comparisons of names and numbers, joined by `&&`; a bare
 * name is the second run's, `A.` and `B.` say whose, and `ratio.` is B by A.
 */
export type Operand = { readonly number: number } | { readonly of: 'A' | 'B' | 'ratio'; readonly name: string }
export type Operator = '<' | '<=' | '>' | '>=' | '==' | '!='

export interface Comparison {
  readonly left: Operand
  readonly operator: Operator
  readonly right: Operand
}

export class ExpressionError extends Error {
  override readonly name = 'ExpressionError'
}

const comparisonsMax = 32
const token =
  /\s*(?:(?<number>-?\d+(?:\.\d+)?(?:e-?\d+)?)|(?<name>[a-z_][\w.]*)|(?<operator><=|>=|==|!=|<|>)|(?<and>&&))/iy

interface Token {
  readonly kind: 'number' | 'name' | 'operator' | 'and'
  readonly text: string
}

export function parseExpression(text: string): Comparison[] {
  const tokens = tokensOf(text)
  const comparisons: Comparison[] = []
  for (let at = 0; at < tokens.length; at += 4) {
    const [left, operator, right, and] = tokens.slice(at, at + 4)
    if (operator?.kind !== 'operator' || right === undefined)
      throw new ExpressionError(`${text} is no comparison: NAME<NUMBER, joined by &&`)
    comparisons.push({
      left: operandOf(left!, text),
      operator: operator.text as Operator,
      right: operandOf(right, text),
    })
    if (and !== undefined && (and.kind !== 'and' || at + 4 >= tokens.length))
      throw new ExpressionError(
        `${text}: ${and.kind === 'and' ? 'nothing comes after the last &&' : `${and.text} stands where && should`}`,
      )
  }
  if (comparisons.length === 0) throw new ExpressionError('an empty expression compares nothing')
  if (comparisons.length > comparisonsMax) throw new ExpressionError(`${comparisonsMax} comparisons at most`)
  return comparisons
}

/** Whether all of it is true. `valueOf` throws for what is not known: that is no answer, and least of all a good one. */
export function isTrue(comparisons: readonly Comparison[], valueOf: (operand: Operand) => number): boolean {
  // All are looked up: a misspelt name is told even when what stands before it is false.
  const verdicts = comparisons.map(({ left, operator, right }) => holds(valueOf(left), operator, valueOf(right)))
  return verdicts.every(Boolean)
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.trimEnd().length) {
    const at = token.lastIndex
    const groups = token.exec(text)?.groups
    const found = Object.entries(groups ?? {}).find(([, part]) => part !== undefined)
    if (found === undefined)
      throw new ExpressionError(`${text} cannot be read from ${JSON.stringify(text.slice(at, at + 20))} on`)
    tokens.push({ kind: found[0] as Token['kind'], text: found[1] })
  }
  return tokens
}

function operandOf({ kind, text: word }: Token, text: string): Operand {
  if (kind === 'number') return { number: Number(word) }
  if (kind !== 'name') throw new ExpressionError(`${text}: ${word} is neither a name nor a number`)
  const side = /^(A|B|ratio)\.(.+)$/.exec(word)
  return side === null ? { of: 'B', name: word } : { of: side[1] as 'A' | 'B' | 'ratio', name: side[2]! }
}

function holds(left: number, operator: Operator, right: number): boolean {
  switch (operator) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
    case '==':
      return left === right
    case '!=':
      return left !== right
  }
}
