/** Why nobody took a job, as a table: how many fail at what, and what would have to give. */
import { exits } from '../config/error.ts'
import type { MatchExplanation } from '../control/api.ts'
import { safe } from './escape.ts'
import type { Problem } from './problem.ts'

const requirementsHeading = '  excluded, first failing requirement:'
const relaxHeading = 'pass if only this is relaxed:'
const headingChars = 46

/** What can be done from here on; of a job that was bid for, there is more to be told of each provider. */
const next = (job: string | null): string =>
  `  wait for one: ${job === null ? 'pleach run' : 'add'} --wait 30m       see all: pleach offers${job === null ? '' : ` --explain ${job}`}`

/** `job`: as it is called, when there is one. */
export function noMatchProblem(explanation: MatchExplanation | null, job: string | null = null): Problem {
  const cure = 'add --wait 30m to wait for one'
  const problem = { code: 'NO_MATCH', what: 'no provider matches', cure, exit: exits.noMatch }
  if (explanation === null) return { ...problem, why: 'nobody answered the bid' }
  const { known, reachable, answered } = explanation
  return {
    ...problem,
    why: `${known} known, ${reachable} reachable, ${answered} answered`,
    lines: explanationLines(explanation, job),
    also: { explanation },
  }
}

function explanationLines(explanation: MatchExplanation, job: string | null): string[] {
  const { known, reachable, answered, excluded, silent, declined, unexplained, nearest } = explanation
  if (known === 0)
    return ['  0 known: no provider has been heard of yet', '  see whom this peer is connected to: pleach peers']
  const unreachable = known === reachable ? '' : ` (${known - reachable} silent)`
  const offers = answered === 0 ? '' : `, ${answered} answered`
  // These would fit by their records.
  const said: [string, number][] = [
    ...declined.map(({ reason, count }): [string, number] => [`${reason} (it said)`, count]),
    ...(silent === 0 ? [] : [['cannot be reached', silent] as [string, number]]),
    ...(unexplained === 0 ? [] : [['made no offer', unexplained] as [string, number]]),
  ]
  const names = [...excluded.map(({ requirement }) => requirement), ...said.map(([reason]) => reason)]
  const nameChars = Math.max(16, ...names.map((name) => safe(name, 60).length))
  const rows = excluded.map(({ requirement, count, onlyThis, relax }) => {
    const left = `    ${safe(requirement, 60).padEnd(nameChars)}  ${String(count).padStart(3)}`.padEnd(headingChars)
    return `${left} ${String(onlyThis).padStart(2)}${relax === null ? '' : `  -> ${safe(relax, 60)}`}`
  })
  return [
    `  ${known} known, ${reachable} reachable${unreachable}${offers}`,
    ...(rows.length === 0 ? [] : [`${requirementsHeading.padEnd(headingChars)}${relaxHeading}`, ...rows]),
    ...said.map(([reason, count]) => `    ${safe(reason, 60).padEnd(nameChars)}  ${String(count).padStart(3)}`),
    ...(nearest === null
      ? []
      : [
          `  nearest: ${safe(nearest.petname, 40)} - ${nearest.reasons.length === 1 ? 'only ' : ''}${safe(nearest.reasons.join(', '), 200)}`,
        ]),
    next(job),
  ]
}
