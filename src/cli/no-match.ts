/** Why nobody took a job, as a table: how many fail at what, and what would have to give. */
import { exits } from '../config/error.ts'
import type { MatchExplanation } from '../control/api.ts'
import { safe } from './escape.ts'
import type { Problem } from './problem.ts'

const requirementsHeading = '  excluded, first failing requirement:'
const relaxHeading = 'pass if only this is relaxed:'
const headingChars = 46

export function noMatchProblem(explanation: MatchExplanation | null): Problem {
  const cure = 'add --wait 30m to wait for one'
  const problem = { code: 'NO_MATCH', what: 'no provider matches', cure, exit: exits.noMatch }
  if (explanation === null) return { ...problem, why: 'nobody answered the bid' }
  const { known, reachable, answered } = explanation
  return {
    ...problem,
    why: `${known} known, ${reachable} reachable, ${answered} answered`,
    lines: explanationLines(explanation),
    also: { explanation },
  }
}

function explanationLines({ known, reachable, answered, excluded }: MatchExplanation): string[] {
  if (known === 0)
    return ['  0 known: no provider has been heard of yet', '  see whom this peer is connected to: pleach peers']
  const silent = known === reachable ? '' : ` (${known - reachable} silent)`
  const offers = answered === 0 ? '' : `, ${answered} answered`
  const nameChars = Math.max(16, ...excluded.map(({ requirement }) => safe(requirement, 60).length))
  const rows = excluded.map(({ requirement, count, onlyThis, relax }) => {
    const left = `    ${safe(requirement, 60).padEnd(nameChars)}  ${String(count).padStart(3)}`.padEnd(headingChars)
    return `${left} ${String(onlyThis).padStart(2)}${relax === null ? '' : `  -> ${safe(relax, 60)}`}`
  })
  return [
    `  ${known} known, ${reachable} reachable${silent}${offers}`,
    ...(rows.length === 0 ? [] : [`${requirementsHeading.padEnd(headingChars)}${relaxHeading}`, ...rows]),
    '  wait for one: add --wait 30m       see all: pleach offers',
  ]
}
