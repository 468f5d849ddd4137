/** Two runs side by side: every number of their records under one name, and what both promised. */
import { ExpressionError, isTrue, parseExpression, type Operand } from './expression.ts'
import type { Figure, RunRecord } from './record.ts'
import { quantile } from './samples.ts'

export interface Value {
  readonly name: string
  readonly unit: string
  readonly value: number | null
}

export interface Compared {
  readonly name: string
  readonly unit: string
  readonly a: number | null
  readonly b: number | null
  /** B by A; null where that says nothing. */
  readonly ratio: number | null
}

export interface ComparedAssertion {
  readonly name: string
  /** Null: that run did not promise it. */
  readonly a: boolean | null
  readonly b: boolean | null
  readonly gotA: string | null
  readonly gotB: string | null
}

export interface Comparing {
  readonly values: readonly Compared[]
  readonly assertions: readonly ComparedAssertion[]
  /** Why the two may not be comparable at all. */
  readonly warnings: readonly string[]
}

export function compareRuns(a: RunRecord, b: RunRecord): Comparing {
  return { values: compareValues(a, b), assertions: compareAssertions(a, b), warnings: warningsOf(a, b) }
}

/** By name: `paid_share`, `latency.bid_to_offer.p99`, `endings.paid`, `jobs.paid.last`. */
export function valuesOf({ numbers, figures }: RunRecord): Value[] {
  return [...numbers.map(({ name, unit, value }) => ({ name, unit, value })), ...figures.flatMap(valuesOfFigure)]
}

/** Whether the expression is true of the two. Throws an ExpressionError for a name that neither has, or only one. */
export function fires(expression: string, { values }: Comparing): boolean {
  const known = new Map(values.map((value) => [value.name, value]))
  return isTrue(parseExpression(expression), (operand) => valueOf(operand, known, expression))
}

function valuesOfFigure(figure: Figure): Value[] {
  const { unit } = figure
  const value = (name: string, part: string, number: number | null | undefined, of = unit): Value => ({
    name: [figure.name, slug(name), part].filter((word) => word !== '').join('.'),
    unit: of,
    value: number ?? null,
  })
  switch (figure.kind) {
    case 'cdf':
      return figure.series.flatMap(({ name, count, samples }) => [
        value(name, 'count', count, ''),
        value(name, 'p50', quantile(samples, 0.5)),
        value(name, 'p99', quantile(samples, 0.99)),
      ])
    case 'timeline':
      return figure.series.flatMap(({ name, points }) => {
        const most = points.reduce((top, [, one]) => Math.max(top, one), -Infinity)
        return [value(name, 'last', points.at(-1)?.[1]), value(name, 'most', points.length === 0 ? null : most)]
      })
    case 'bars':
      return figure.bars.map((bar) => value(bar.name, '', bar.value))
    case 'topology':
      return [
        value('peers', '', figure.after.nodes.length, ''),
        value('there', '', figure.after.nodes.filter(({ alive }) => alive).length, ''),
        value('ties', '', figure.after.edges.length, ''),
      ]
    case 'table':
      return []
  }
}

function slug(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replaceAll(/^_+|_+$/g, '')
}

function compareValues(a: RunRecord, b: RunRecord): Compared[] {
  const [ofA, ofB] = [a, b].map((record) => new Map(valuesOf(record).map((value) => [value.name, value]))) as [
    Map<string, Value>,
    Map<string, Value>,
  ]
  return [...new Set([...ofA.keys(), ...ofB.keys()])].map((name) => {
    const [one, other] = [ofA.get(name)?.value ?? null, ofB.get(name)?.value ?? null]
    const ratio = one === null || other === null || one === 0 ? null : other / one
    return { name, unit: (ofA.get(name) ?? ofB.get(name))!.unit, a: one, b: other, ratio }
  })
}

function compareAssertions(a: RunRecord, b: RunRecord): ComparedAssertion[] {
  const names = new Set([...a.assertions, ...b.assertions].map(({ name }) => name))
  return [...names].map((name) => {
    const [ofA, ofB] = [a, b].map(({ assertions }) => assertions.find((one) => one.name === name))
    return { name, a: ofA?.holds ?? null, b: ofB?.holds ?? null, gotA: ofA?.got ?? null, gotB: ofB?.got ?? null }
  })
}

function warningsOf(a: RunRecord, b: RunRecord): string[] {
  const warnings: string[] = []
  for (const [which, { valid, invalidBecause }] of [
    ['A', a],
    ['B', b],
  ] as const)
    if (!valid) warnings.push(`${which} is invalid: ${invalidBecause}`)
  if (a.tier !== b.tier) warnings.push(`A is a ${a.tier} run and B a ${b.tier} run`)
  if (a.boot !== b.boot) warnings.push(`A booted ${a.boot ?? 'not'} and B ${b.boot ?? 'not'}`)
  if (a.scenario.name !== b.scenario.name) warnings.push(`A is ${a.scenario.name} and B is ${b.scenario.name}`)
  else if (JSON.stringify(a.scenario.config) !== JSON.stringify(b.scenario.config))
    warnings.push(`${a.scenario.name} was configured differently`)
  if (a.lives !== b.lives) warnings.push(`A lived ${a.lives} lives and B ${b.lives}: counts grow with them`)
  if (JSON.stringify(a.machine) !== JSON.stringify(b.machine))
    warnings.push('the machines differ: so may all that is timed')
  return warnings
}

/** Names that are told when one is not known. */
const suggestedMax = 8

function valueOf(operand: Operand, known: ReadonlyMap<string, Compared>, expression: string): number {
  if ('number' in operand) return operand.number
  const { of, name } = operand
  const compared = known.get(name)
  if (compared === undefined) {
    const near = [...known.keys()].filter((other) => other.split('.').some((part) => name.split('.').includes(part)))
    const told = (near.length === 0 ? [...known.keys()] : near).slice(0, suggestedMax)
    throw new ExpressionError(`${expression}: neither run has ${name}; there are ${told.join(', ')}, …`)
  }
  const value = of === 'A' ? compared.a : of === 'B' ? compared.b : compared.ratio
  if (value !== null) return value
  throw new ExpressionError(
    of === 'ratio'
      ? `${expression}: there is no ratio of ${name}: it is ${String(compared.a)} in A and ${String(compared.b)} in B`
      : `${expression}: ${name} is not known of ${of}`,
  )
}
