/** What this peer knows, in the words of the control interface. */
import { cpuHourMicroOf, freeMilliMax, openForMs as openForMsOf, type Requirements } from '../../protocols/bid/index.ts'
import { plainPrice, type KnownCapability } from '../../protocols/capability/index.ts'
import { decodeObjectManifest, formatCode } from '../../protocols/erasure/index.ts'
import { costOf, formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import type {
  JobStage,
  JobView,
  ObjectView,
  OfferView,
  PeerView,
  ReceiptView,
  RestingView,
  StatusView,
} from '../control/api.ts'
import { petnameOf } from '../host/index.ts'
import type { AuditEntry } from '../ledger/audits.ts'
import type { ObjectEntry } from '../ledger/objects.ts'
import type { LeaseTotal } from '../ledger/receipts.ts'
import { heldMsMax, type BrakeState } from '../market/brakes.ts'
import type { Acquaintance } from '../market/rank.ts'
import type { Tally } from '../market/tally.ts'
import type { JobTerms } from '../market/terms.ts'
import { lossesBorne } from '../storage/happiness.ts'
import { keptUntil, placesOf } from './object-places.ts'

export function peerView(peer: PeerName): PeerView {
  return { peer, petname: petnameOf(peer) }
}

/** `asked`: at what price it would be taken, where something was asked for. */
export function offerView(
  { peer, capability }: KnownCapability,
  self: PeerName,
  { standing, rttMs }: Pick<Acquaintance, 'standing' | 'rttMs'>,
  nowMs: number,
  asked?: Requirements,
): OfferView {
  const { compute, storage, runtimes, gpus, network, tee, free, hours } = capability
  const price = capability.price ?? { ...plainPrice, unit: '', cpuHourMicro: 0 }
  const openForMs = openForMsOf(hours, nowMs)
  return {
    v: 1,
    ...peerView(peer),
    self: peer === self,
    arch: compute?.arch ?? '',
    features: compute?.features ?? [],
    cpuMilli: compute?.cpuMilli.value ?? 0,
    memoryBytes: compute?.memoryBytes.value ?? 0,
    diskBytes: compute?.diskBytes.value ?? 0,
    keepBytes: storage?.keepBytes.value ?? 0,
    gpus: gpus.map(({ vendor, model, memoryBytes, count }) => ({
      vendor,
      model,
      memoryBytes: memoryBytes.value,
      count,
      evidence: memoryBytes.evidence,
    })),
    runtimes: runtimes.map(({ name }) => name),
    isolation: runtimes[0]?.isolation ?? '',
    egress: compute?.egress ?? false,
    tee: tee?.kind ?? '',
    region: network?.region ?? '',
    operator: capability.operator,
    pricePerCpuHour: formatMicro(price.cpuHourMicro),
    askedPerCpuHour: formatMicro(asked === undefined ? price.cpuHourMicro : cpuHourMicroOf(price, asked)),
    pricePerGigaGas: formatMicro(price.gigaGasMicro),
    pricePerGibHour: formatMicro(price.memoryGibHourMicro),
    pricePerGpuHour: formatMicro(price.gpuHourMicro),
    pricePerGibIn: formatMicro(price.inGibMicro),
    pricePerGibOut: formatMicro(price.outGibMicro),
    pricePerDiskGibHour: formatMicro(price.storeGibHourMicro),
    pricePerGbMonth: formatMicro(price.gbMonthMicro),
    measuredPercent: price.measuredPercent,
    challengedPercent: price.challengedPercent,
    unit: price.unit,
    evidence: compute?.cpuMilli.evidence ?? 'claimed',
    wallMsMax: compute?.wallMsMax ?? 0,
    openForMs: Number.isFinite(openForMs) ? openForMs : null,
    freeCpuMilli: compute === null || free === null ? null : freeMilliMax({ compute, free }),
    standing: Math.round(standing * 100) / 100,
    rttMs: rttMs === undefined ? null : Math.round(rttMs * 10) / 10,
    expiresMs: capability.expiresMs,
  }
}

/** What became of the bids that were heard, and for how much less some would have been won. */
export function marketView(tally: Tally, nowMs: number): StatusView['market'] {
  const hint = tally.hint(nowMs)
  return {
    ...tally.counts(),
    dearerPercent: tally.dearerPercent(nowMs) ?? null,
    hint: hint === undefined ? null : { price: formatMicro(hint.cpuHourMicro), wouldHaveWon: hint.wouldHaveWon },
  }
}

/** `disputed`: the code of the requester's word against the last receipt. */
export function receiptView(total: LeaseTotal, disputed = ''): ReceiptView {
  return {
    v: 1,
    lease: total.lease,
    job: total.job,
    role: total.role,
    other: peerView(total.other),
    receipts: total.receipts,
    bothSigned: total.bothSigned,
    final: total.final,
    amount: formatMicro(total.amountMicro),
    unit: total.unit,
    disputed,
    updatedMs: total.updatedMs,
  }
}

export function objectView(entry: ObjectEntry, audits: readonly AuditEntry[]): ObjectView {
  const { code } = decodeObjectManifest(entry.manifest)
  const places = placesOf(entry.placement)
  const passed = new Set(audits.filter(({ verdict }) => verdict === 'passed').map(({ shard }) => shard))
  return {
    v: 1,
    object: entry.cid,
    name: entry.name,
    bytes: entry.bytes,
    code: formatCode(code),
    k: code.k,
    n: code.k + code.m,
    keepers: new Set(places.map(({ peer }) => peer)).size,
    lossesBorne: lossesBorne(places, code.k),
    keptUntilMs: keptUntil(places),
    createdMs: entry.createdMs,
    kept: entry.isKept,
    folder: entry.isFolder,
    healthy: audits.length === 0 ? null : passed.size,
    auditedMs: audits.length === 0 ? null : audits.reduce((last, { atMs }) => Math.max(last, atMs), 0),
  }
}

export function newJobView(
  id: string,
  fields: Pick<JobView, 'name' | 'role' | 'unit' | 'out' | 'requester' | 'provider' | 'lease' | 'asked'>,
  nowMs: number,
): JobView {
  return {
    v: 1,
    id,
    stage: 'bidding',
    code: '',
    reason: null,
    exitCode: null,
    detail: '',
    cost: '0',
    createdMs: nowMs,
    updatedMs: nowMs,
    outputFiles: 0,
    outputBytes: 0,
    attempts: 0,
    ...fields,
  }
}

/** The whole job at a provider's price, if it ran to its limit. */
export function estimateOf(terms: JobTerms, cpuHourMicro: number): string {
  const { cpuMilli, wallMsMax } = terms.requirements
  return formatMicro(costOf(BigInt(cpuMilli) * BigInt(wallMsMax), cpuHourMicro, 3_600_000_000n, terms.ceilingMicro))
}

export const isOver = (stage: JobStage): boolean => stage === 'paid' || stage === 'refused' || stage === 'expired'

export function restingView(state: BrakeState, nowMs: number): RestingView | null {
  const [because] = state.reasons
  if (because === undefined) return null
  const { pausedUntilMs, heldSinceMs } = state
  return {
    because,
    leftMs: pausedUntilMs === null ? null : Math.max(0, pausedUntilMs - nowMs),
    handsBackInMs: heldSinceMs === null ? null : Math.max(0, heldSinceMs + heldMsMax - nowMs),
  }
}
