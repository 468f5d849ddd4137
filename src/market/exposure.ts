/**
 * What a provider risks with a requester: all that was worked, or is promised to be, and not yet answered for. Pure. What a lease binds is
 * one interval; how much one requester may bind in all is its credit line.
 */
import { rateOf } from '../../protocols/bid/index.ts'
import type { Award } from '../../protocols/negotiate/index.ts'
import { formatMicro, refusal, tariffOf, type PeerName, type Refusal } from '../../protocols/wire/index.ts'
import type { LeaseState } from './lease-machine.ts'

/** What the ledger says of one requester in one unit. */
export interface CreditLine {
  readonly capMicro: bigint
  /** Signed by both, and not settled; 0 where nothing is settled. */
  readonly unsettledMicro: bigint
  /** By lease: stated by us, and not signed by it. */
  readonly unsigned: ReadonlyMap<string, bigint>
}

export interface Credit {
  of(requester: PeerName, unit: string): CreditLine
  /** What all requesters together have signed for us. */
  earned(unit: string): bigint
  /** Half of it is taken: whoever can have something of it settled should. */
  short(requester: PeerName, unit: string): void
  /** Something of its leases was written down: what was read before is old. */
  changed(requester: PeerName, unit: string): void
}

/** Of peers of a simulation that tries something else. */
export const unlimitedCredit: Credit = {
  of: () => ({ capMicro: BigInt(Number.MAX_SAFE_INTEGER), unsettledMicro: 0n, unsigned: new Map() }),
  earned: () => 0n,
  short: () => {},
  changed: () => {},
}

/** Of a bid nobody knows at which intervals it will be paid: requesters begin with so much. */
export const firstIntervalMs = 5_000
const milliMsPerHour = 3_600_000_000n

/** `cpuHourMicro`: with all that is leased laid on the processors. */
type Priced = Pick<Award, 'cpuHourMicro' | 'cpuMilli'>

/**
 * What is leased goes by time. Instructions and bytes do not, and a lease does not say how many there will be: those of a usual program count, as
 * far as the ceiling has room for them when it is spread over the longest run.
 */
export function pricedOf(award: Award): Priced {
  const { cpuMilli, memoryBytes, diskBytes, gpus, wallMsMax, ceilingMicro } = award
  const taken = {
    cpuMilli,
    memoryBytes,
    diskBytes,
    wallMsMax,
    gpus: { count: gpus },
    runtime: '',
    gasMax: 0,
    inBytes: 0,
  }
  const byTime = rateOf({ ...tariffOf(award), gigaGasMicro: 0, inGibMicro: 0, outGibMicro: 0 }, taken)
  const spread = (BigInt(ceilingMicro) * milliMsPerHour) / BigInt(Math.max(1, wallMsMax * cpuMilli))
  const counted = rateOf(award, taken) - byTime
  return { cpuMilli, cpuHourMicro: byTime + (spread < BigInt(counted) ? Number(spread) : counted) }
}

/** What a lease costs by the time that it takes: for an hour, in thousandths of micro-units. The only place that reads its prices. */
function hourOf({ cpuHourMicro, cpuMilli }: Priced): bigint {
  return BigInt(cpuHourMicro) * BigInt(cpuMilli)
}

/** What so much time of a lease comes to, rounded up as a receipt is. */
export function worthMicro(priced: Priced, forMs: number): bigint {
  return (BigInt(Math.max(0, forMs)) * hourOf(priced) + milliMsPerHour - 1n) / milliMsPerHour
}

/** For how long a lease may go on until it comes to so much; without an end when it costs nothing. */
export function lastsMs(priced: Priced, micro: bigint): number {
  if (micro <= 0n) return 0
  const hour = hourOf(priced)
  return hour === 0n ? Infinity : Number((micro * milliMsPerHour) / hour)
}

/**
 * What a lease that is not over may come to beyond what its requester has signed, until the next receipt: the first interval of one that
 * is promised, the running one of one that works. Undefined of one that is over or whose bill is closed: of that the ledger has all.
 */
export function riskOf({ hold, task, bill, runMs, ending }: LeaseState, nowMs: number): bigint | undefined {
  if (ending !== null || (hold.at !== 'accepted' && hold.at !== 'leased')) return undefined
  const award = hold.at === 'leased' ? hold.lease.award.body : hold.award.body
  const priced = pricedOf(award)
  if (bill === null || runMs === null) return worthMicro(priced, award.paymentIntervalMs)
  if (bill.at === 'settled' || bill.at === 'unpaid') return undefined
  const isRunning = task?.at === 'running'
  const untilMs = bill.at === 'counting' && isRunning ? Math.max(nowMs, bill.nextAtMs) : nowMs
  const workedMs = isRunning ? untilMs - runMs : bill.at === 'asking' ? bill.receipt.body.usage.wallMs : 0
  return worthMicro(priced, workedMs - bill.usage.wallMs)
}

export interface Exposure {
  /** What is owed, or may come to be before its requester can sign for it. */
  readonly exposedMicro: bigint
  readonly capMicro: bigint
}

/** All that is at risk with one requester. `states`: its leases here; `without`: the one that is to be judged by the rest. */
export function exposureTo(
  credit: Credit,
  of: {
    readonly by: PeerName
    readonly unit: string
    readonly states: readonly LeaseState[]
    readonly without?: LeaseState | undefined
  },
  nowMs: number,
): Exposure {
  const { by, unit, states, without } = of
  const { capMicro, unsettledMicro, unsigned } = credit.of(by, unit)
  let exposedMicro = unsettledMicro
  const open = new Set<string>()
  for (const state of states) {
    const riskMicro = state.hold.offer.body.unit === unit ? riskOf(state, nowMs) : undefined
    if (riskMicro === undefined) continue
    // A receipt that is under way is in the risk of its lease already.
    if (state.task !== null) open.add(state.task.lease.id)
    if (state !== without) exposedMicro += riskMicro
  }
  for (const [lease, micro] of unsigned) if (!open.has(lease)) exposedMicro += micro
  // Half of the way there is early enough to ask for it to be settled, and late enough not to ask for every trifle.
  if (exposedMicro * 2n > capMicro) credit.short(by, unit)
  return { exposedMicro, capMicro }
}

/** For how long the lease may go on, when that is shorter than any interval of it. */
export function roomOf(
  { hold }: LeaseState,
  exposureOf: (by: PeerName, unit: string) => Exposure,
): { readonly forMs: number; readonly because: Refusal } | undefined {
  if (hold.at !== 'leased') return undefined
  const { body } = hold.lease.award
  const { exposedMicro, capMicro } = exposureOf(hold.requester, body.unit)
  const forMs = Math.floor(lastsMs(pricedOf(body), capMicro - exposedMicro))
  return forMs >= body.paymentIntervalMsMax
    ? undefined
    : { forMs, because: creditFull(exposedMicro, capMicro, body.unit) }
}

/** It is bound by its word or works, and nothing of it is signed by the requester. */
export function isUnpaid({ hold, bill, ending }: LeaseState): boolean {
  return ending === null && (hold.at === 'accepted' || hold.at === 'leased') && (bill?.sequence ?? 0) === 0
}

/** `owes`: with the first or the next interval. In the unit of account, since a person reads it. */
export function creditFull(owesMicro: bigint, capMicro: bigint, unit: string): Refusal {
  return refusal('CREDIT_FULL', { owes: formatMicro(owesMicro), cap: formatMicro(capMicro), unit })
}
