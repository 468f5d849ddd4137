/** When a peer wants to settle. Policy: the other side need not share it. */
import type { LeaseBook, SettleState } from '../../protocols/settle/index.ts'
import type { Micro, PeerName } from '../../protocols/wire/index.ts'

export interface SettlePolicy {
  /** How often the books are looked at. */
  readonly lookEveryMs: number
  /** What is unsettled is settled this often, however little it is. */
  readonly periodMs: number
  /** When much is unsettled, this long after the last try. */
  readonly retryMs: number
  /** So many unsettled leases are much, … */
  readonly leasesUnsettledMax: number
  /** … so is a net like this, whoever owes it, … */
  readonly netUnsettledMicroMax: Micro
  /** … and so much that we have earned, whatever we owe beside it: it takes up the other's credit. */
  readonly earnedUnsettledMicroMax: Micro
}

export const settlePolicy: SettlePolicy = {
  lookEveryMs: 60_000,
  periodMs: 3_600_000,
  retryMs: 300_000,
  leasesUnsettledMax: 64,
  netUnsettledMicroMax: 10_000_000,
  earnedUnsettledMicroMax: 10_000_000,
}

export interface Unsettled {
  readonly leases: number
  /** What we are owed, less what we owe; below 0 we owe. Beyond any one amount, since it is a sum. */
  readonly netMicro: bigint
  readonly earnedMicro: bigint
  /** Bonds that are forfeited to us. */
  readonly forfeits: number
}

export function unsettledOf(me: PeerName, books: readonly LeaseBook[], forfeits = 0): Unsettled {
  let leases = 0
  let [netMicro, earnedMicro] = [0n, 0n]
  for (const { provider, held, settledMicro } of books) {
    if (held === null || held.amountMicro <= settledMicro) continue
    const moreMicro = BigInt(held.amountMicro) - BigInt(settledMicro)
    leases++
    netMicro += provider === me ? moreMicro : -moreMicro
    if (provider === me) earnedMicro += moreMicro
  }
  return { leases, netMicro, earnedMicro, forfeits }
}

/** Is it time to propose, or to say again what was not answered? `sinceMs`: since the last try. */
export function isDue(
  policy: SettlePolicy,
  at: SettleState['at'],
  { leases, netMicro, earnedMicro, forfeits }: Unsettled,
  sinceMs: number,
): boolean {
  // One of the two is under way.
  if (at === 'proposing' || at === 'answering') return false
  if (at === 'resting' && leases + forfeits === 0) return false
  const net = netMicro < 0n ? -netMicro : netMicro
  const isMuch =
    forfeits > 0 ||
    leases >= policy.leasesUnsettledMax ||
    net >= BigInt(policy.netUnsettledMicroMax) ||
    earnedMicro >= BigInt(policy.earnedUnsettledMicroMax)
  return sinceMs >= (isMuch ? policy.retryMs : policy.periodMs)
}
