/** Says where the shards of an object are: to the DHT, and to the keepers, beside the manifest. */
import {
  pagesMax,
  placementKey,
  placementNamespace,
  placementTermMsMax,
  placesPerPageMax,
  sealPlacement,
  type Place,
  type PlacementService,
  type Version,
} from '../../protocols/placement/index.ts'
import { Fault, type Bulletin, type PeerName, type Signer } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'
import type { Placed } from './place.ts'

export interface AnnounceDeps {
  readonly bulletin: Pick<Bulletin, 'put'>
  readonly placement: Pick<PlacementService, 'tell'>
  readonly signer: Signer
  readonly network: string
  readonly clock: Clock
  readonly log: Log
  /** The next number, durable before it is used. */
  readonly nextSequence: () => Promise<number>
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

export interface Announced {
  readonly envelopes: readonly Uint8Array[]
  /** Peers of the DHT that acknowledged the first page. */
  readonly acknowledged: number
  /** Keepers that have the dossier now. */
  readonly told: readonly PeerName[]
}

/** One announcement, with all that it says. */
const announceWithinMs = 10_000
/** Keepers that are told at once. */
const tellingMax = 4
/** Keepers that are asked to let themselves be found: when the writer is gone, one is enough. */
const advertisersMax = 3
/** A record outlives the last shard by nothing; one without places, an hour. */
const withdrawnMs = 60 * 60_000

/**
 * `others`: what other writers said, which `keepers` are told too. Without places our record is taken back. Never rejects but with
 * the reason of `signal`.
 */
export async function announcePlacement(
  deps: AnnounceDeps,
  object: { readonly cid: string; readonly manifest: Uint8Array },
  placed: readonly Placed[],
  others: readonly Version[],
  signal: AbortSignal,
  keepers: readonly PeerName[] = [...new Set(placed.map(({ peer }) => peer))],
): Promise<Announced> {
  const { bulletin, signer, network, clock, log } = deps
  const envelopes = await pagesOf(deps, object.cid, placed)
  using deadline = clock.deadline(announceWithinMs, signal)
  const write = async (): Promise<number> => {
    let acknowledged = 0
    for (const [page, envelope] of envelopes.entries()) {
      const key = placementKey(object.cid, signer.peer, page)
      const count = await bulletin.put(placementNamespace, key, envelope, deadline.signal)
      if (page === 0) acknowledged = count
    }
    return acknowledged
  }
  const [acknowledged, told] = await Promise.all([
    write().catch((error: unknown) => {
      log('info', 'a placement record was not stored', { network, object: object.cid, error })
      return 0
    }),
    tellKeepers(
      deps,
      object.manifest,
      [...envelopes, ...others.flatMap((version) => version.envelopes)],
      keepers,
      deadline.signal,
    ),
  ])
  signal.throwIfAborted()
  return { envelopes, acknowledged, told }
}

async function tellKeepers(
  { placement, onFault, log, signer }: AnnounceDeps,
  manifest: Uint8Array,
  records: readonly Uint8Array[],
  keepers: readonly PeerName[],
  signal: AbortSignal,
): Promise<PeerName[]> {
  const queue = keepers.filter((peer) => peer !== signer.peer)
  const told: PeerName[] = []
  let advertisers = 0
  const worker = async (): Promise<void> => {
    for (let peer = queue.shift(); peer !== undefined; peer = queue.shift()) {
      const advertise = advertisers < advertisersMax
      if (advertise) advertisers++
      try {
        await placement.tell(peer, { manifest, records }, advertise, signal)
        told.push(peer)
      } catch (error) {
        if (advertise) advertisers--
        if (error instanceof Fault) onFault(peer, error)
        log('debug', 'a keeper was not told', { peer, error })
      }
    }
  }
  await Promise.all(Array.from({ length: tellingMax }, worker))
  return told
}

async function pagesOf(
  { signer, network, clock, nextSequence }: AnnounceDeps,
  object: string,
  placed: readonly Placed[],
): Promise<Uint8Array[]> {
  const places = placed
    .map(({ shard, peer, keepUntilMs }): Place => ({ shard, keeper: peer, keepUntilMs }))
    .slice(0, pagesMax * placesPerPageMax)
  const pages = Math.max(1, Math.ceil(places.length / placesPerPageMax))
  const issuedMs = clock.nowMs()
  const latestMs = places.reduce((latest, { keepUntilMs }) => Math.max(latest, keepUntilMs), issuedMs + withdrawnMs)
  const sequence = await nextSequence()
  return Array.from({ length: pages }, (_, page) =>
    sealPlacement(signer, network, {
      object,
      sequence,
      issuedMs,
      expiresMs: Math.min(latestMs, issuedMs + placementTermMsMax),
      withdrawn: places.length === 0,
      page,
      pages,
      places: places.slice(page * placesPerPageMax, (page + 1) * placesPerPageMax),
    }),
  )
}
