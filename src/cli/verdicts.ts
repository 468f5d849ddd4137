/** What came of each provider and a job, a line each: who took it first, and those that lack something last. */
import type { ProviderVerdict, Verdict } from '../control/api.ts'
import { safe } from './escape.ts'
import { shortPeer } from './format.ts'
import { table } from './table.ts'

const order: readonly Verdict[] = ['took', 'offered', 'declined', 'unheard', 'unanswered', 'silent', 'unasked', 'lacks']

export function verdictLines(providers: readonly ProviderVerdict[]): string[] {
  const rows = providers
    .toSorted(
      (left, right) =>
        order.indexOf(left.verdict) - order.indexOf(right.verdict) ||
        left.reasons.length - right.reasons.length ||
        left.petname.localeCompare(right.petname),
    )
    .map(({ petname, peer, verdict, reasons, code }) => [
      safe(petname, 40),
      shortPeer(peer),
      verdict === 'declined' ? 'it said' : safe(verdict, 16),
      safe(reasons.join('; '), 240),
      code === null ? '' : safe(code, 48),
    ])
  return table(['NAME', 'PEER', 'WHAT', 'WHY', 'CODE'], rows)
}
