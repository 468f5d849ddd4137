/** How this peer knows who can do what, put together: its own record, the records of others, and the three ways on which they come. */
import { runtimeAdvert, keeperAdvert, type KnownCapability } from '../../protocols/capability/index.ts'
import { createDiscover, fitsWant, type Want } from '../../protocols/discover/index.ts'
import type { Fault, Notary, PeerName } from '../../protocols/wire/index.ts'
import { Announcer } from '../discovery/announcer.ts'
import { Directory } from '../discovery/directory.ts'
import { Publisher } from '../discovery/publisher.ts'
import { floorKeyOf, RecordIndex } from '../discovery/record-index.ts'
import { neighboursOf, Seeker } from '../discovery/seeker.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { Host } from '../host/index.ts'
import { KnownRecords } from '../ledger/known-records.ts'
import type { SequenceFloors } from '../ledger/sequence-floors.ts'
import type { Store } from '../ledger/store.ts'

export interface DiscoveryDeps {
  readonly notary: Notary
  readonly host: Host
  readonly ledger: Store
  readonly floors: SequenceFloors
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onFault: (peer: PeerName, fault: Fault) => void
  readonly mayAnnounce?: Promise<void> | undefined
  /** Told of a record that is signed with our key, and that we never made. */
  readonly onForeign: (sequence: number) => void
}

export interface Discovery {
  readonly index: RecordIndex
  readonly seeker: Seeker
  readonly publisher: Publisher
  /** Takes back what was known before, and answers others from now on. */
  begin(): Promise<void>
  /** A look at who lends what, for a person who wants to see it: further than jobs look, and for a few seconds at most. */
  look(signal: AbortSignal): Promise<void>
  /** Reads our own record, as others would: it may be somebody else's. Then makes sure that there is one, for somebody else to read. */
  lookForOwn(signal: AbortSignal): Promise<void>
  /** Nothing is asked any more, and what is known is on the disk. */
  stop(): Promise<void>
}

/** With fewer records than this the DHT is asked as well. */
const fewRecords = 8
/** Answers that are wanted of one name in the DHT, and how long it may take. */
const providersMax = 20
const lookWithinMs = 1_000
const ownWithinMs = 20_000
/** Of our own records. */
const counter = 'capability'
/** Numbers of those that are remembered: what is older has expired by far. */
const madeMax = 1_024

export function createDiscovery(deps: DiscoveryDeps): Discovery {
  const { notary, host, ledger, floors, clock, random, log, onFault } = deps
  const { signer, network } = notary
  const records = new KnownRecords(ledger, floors, clock, log)
  const connected = (): PeerName[] => host.connections().map(({ peer }) => peer)
  // Records of ours that come back: those of lives before have lower numbers than these, and others are somebody else's.
  // A ledger that is new may be of an old key, whose last records still stand: their numbers are times.
  const lastBefore = floors.last(counter) || clock.nowMs()
  const made = new Set<number>()
  const nextSequence = async (): Promise<number> => {
    const sequence = floors.next(counter, clock.nowMs())
    made.add(sequence)
    if (made.size > madeMax) made.delete(made.values().next().value!)
    return sequence
  }
  const index = new RecordIndex({
    notary,
    clock,
    floor: { raise: (key, sequence, hash) => floors.acceptsForNow(key, sequence, hash) },
    shelf: records,
    connected,
    onOwn: (sequence) => {
      if (sequence > lastBefore && !made.has(sequence)) deps.onForeign(sequence)
    },
  })
  const announcer = new Announcer({
    gossip: host.gossip,
    notary,
    index,
    clock,
    random,
    log,
    floorOf: (peer) => floors.of(floorKeyOf(peer)),
    mayAnnounce: deps.mayAnnounce,
    renew: async () => publisher.renew(),
  })
  const publisher: Publisher = new Publisher({
    bulletin: host.bulletin,
    signer,
    network,
    clock,
    log,
    nextSequence,
    keepersKnown: () => host.readiness().dhtTableSize,
    announcer,
  })
  const discover = createDiscover({
    streams: host.streams,
    timekeeper: clock,
    answer: (want, recordsMax, from) =>
      answerFrom(index, publisher, want, clock.nowMs(), random, from).slice(0, recordsMax),
  })
  const directory = new Directory({ bulletin: host.bulletin, self: signer.peer, index, log })
  const seeker = new Seeker({
    index,
    directory,
    discover,
    neighbours: () => neighboursOf(host, network),
    network,
    clock,
    random,
    log,
    onFault,
  })
  const readOwn = async (signal: AbortSignal): Promise<void> => void (await directory.fetch(signer.peer, signal))
  return {
    index,
    seeker,
    publisher,
    async lookForOwn(signal) {
      using deadline = clock.deadline(ownWithinMs, signal)
      if (connected().length === 0) return
      await readOwn(deadline.signal)
      try {
        await publisher.putNothing(deadline.signal)
      } catch (error) {
        if (!signal.aborted) log('debug', 'our record of nothing could not be put; the next will be', { error })
      }
    },
    async begin() {
      index.restore()
      announcer.begin()
      await discover.serve()
    },
    async look(signal) {
      using deadline = clock.deadline(lookWithinMs, signal)
      await Promise.all([seeker.fill(deadline.signal), readOwn(deadline.signal)])
      seeker.freshen()
      if (index.alive().length >= fewRecords) return
      const names = [runtimeAdvert(network, 'wasi-preview1'), keeperAdvert(network)]
      await Promise.allSettled(names.map(async (name) => directory.find(name, providersMax, deadline.signal)))
    },
    async stop() {
      announcer.stop()
      await seeker.stop()
      await records.close()
    },
  }
}

/** Envelopes of what we know that fits: our own first, since we are there; then of those that live, and of the others. */
function answerFrom(
  index: RecordIndex,
  { current }: Publisher,
  want: Want,
  nowMs: number,
  random: Random,
  from: PeerName,
): Uint8Array[] {
  const own = current !== undefined && fitsWant(want, current.capability, nowMs) ? [current.envelope] : []
  if (want.kind === 'yourself') return own
  const { alive, doubtful } = index.pick(want)
  const mixed = (some: readonly KnownCapability[]): Uint8Array[] =>
    some
      .filter(({ peer }) => peer !== from)
      .map(({ envelope }) => ({ envelope, dice: random.float() }))
      .toSorted((left, right) => left.dice - right.dice)
      .map(({ envelope }) => envelope)
  return [...own, ...mixed(alive), ...mixed(doubtful)]
}
