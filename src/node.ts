/**
 * The composition root: one peer, put together from its parts. The only place where the folders of `src` meet; it decides
 * nothing but who is handed what, and in which order things start and stop.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'

import { bidTopic } from '../protocols/bid/index.ts'
import { createInquire } from '../protocols/inquire/index.ts'
import { BadBlockFault } from '../protocols/transfer/index.ts'
import { describeFacts, type Fault, type Notary, type PeerName } from '../protocols/wire/index.ts'
import { plainMoney, type PeerOptions } from './config/options.ts'
import { detectMachine } from './discovery/detect.ts'
import { readHardware } from './discovery/hardware.ts'
import type { Facts } from './discovery/publisher.ts'
import { realFiles, type Clock, type Log, type Random } from './environment.ts'
import { admitByProgram } from './execution/admission.ts'
import { createCourier, openIdentity, petnameOf } from './host/index.ts'
import { Jobs } from './ledger/jobs.ts'
import { KeyValueFile } from './ledger/key-value.ts'
import { MachineStates } from './ledger/machine-states.ts'
import { Proofs } from './ledger/proofs.ts'
import { Receipts } from './ledger/receipts.ts'
import { SequenceFloors } from './ledger/sequence-floors.ts'
import { Store } from './ledger/store.ts'
import type { JobState } from './market/job-state.ts'
import type { LeaseState } from './market/lease-machine.ts'
import { ProviderDesk } from './market/provider-desk.ts'
import { decodeState } from './state-form.ts'
import { RequesterDesk } from './market/requester-desk.ts'
import { RelayedBytes } from './node/byte-tally.ts'
import { OwnControl } from './node/control.ts'
import { createData } from './node/data.ts'
import { createDiscovery } from './node/discovery.ts'
import { Equivocations } from './node/equivocations.ts'
import { createExecutors } from './node/executors.ts'
import { Forwards } from './node/forwards.ts'
import { OwnErrands, refusalOf } from './node/errands.ts'
import { isAtWork } from './node/at-work.ts'
import { hearBids } from './node/hear-bids.ts'
import { createOwnHost } from './node/own-host.ts'
import { JobBook, viewsIn } from './node/job-book.ts'
import { JobFiles } from './node/job-files.ts'
import { JobReporter } from './node/job-reporter.ts'
import { LedgerCare } from './node/ledger-care.ts'
import { factsOf, lendingOf, shownRecord, standsFor } from './node/lending.ts'
import { openRoutes, sendCarry } from './node/routes.ts'
import { createSettling } from './node/settling.ts'
import { idle } from './node/idle.ts'
import { OwnerBrakes } from './node/owner-brakes.ts'
import { createKeeperFinder, directFirst, knownKeepers, rested } from './node/keepers.ts'
import type { Peer } from './node/peer.ts'
import type { PeerPorts } from './node/ports.ts'
import { Matchmaker } from './node/matchmaker.ts'
import { Submissions } from './node/submissions.ts'
import { keepTally } from './node/tally-keeping.ts'
import { acquaintWith } from './node/regard.ts'
import { createStandings } from './node/standing.ts'
import { LeaseWorkshop } from './node/workshop.ts'
import { asking } from './reputation/experience.ts'
import { Evidence } from './storage/evidence.ts'
import { WorkerMill } from './storage/workers/worker-mill.ts'

export type { MakeLibp2p } from './host/index.ts'
export type { Peer, ReadyFacts } from './node/peer.ts'

/** Class of jobs of WASI programs: names the topic of their bids. */
const computeClass = 'compute'
/** How long `ready` waits for company. */
const aloneMs = 5_000
const runningMsMax = 3_000

export async function createPeer(
  options: PeerOptions,
  environment: { readonly clock: Clock; readonly random: Random; readonly log: Log },
  ports: PeerPorts = {},
): Promise<Peer> {
  const { clock, random, log } = environment
  const { dataDir, network, offer } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const identity = ports.identity ?? (await openIdentity(join(dataDir, 'key'), random))
  const { signer } = identity
  const disk = ports.files ?? realFiles
  const self = signer.peer
  const notary: Notary = { signer, network }
  const unit = offer?.unit ?? 'credit'
  await using starting = new AsyncDisposableStack()
  const ending = new AbortController()

  // What is remembered.
  const ledger = (ports.openLedger ?? Store.open)(join(dataDir, 'ledger.db'), clock, log)
  starting.defer(() => ledger.close())
  const memory = ports.memory ?? starting.adopt(new KeyValueFile(join(dataDir, 'host.db')), (file) => file.close())
  const machines = new MachineStates(ledger, notary)
  const floors = new SequenceFloors(ledger)
  const proofs = new Proofs(ledger)
  const receipts = new Receipts(ledger)
  const care = new LedgerCare({ ledger, notary, disk, options, ports, ...environment })
  starting.defer(() => care.close())
  const journal = care.journal(machines)
  const standings = createStandings({ notary, ledger, proofs, receipts, unit, clock, log }, (job) =>
    requester.state(job),
  )
  const { reputation, outcomes } = standings
  const later = (work: Promise<unknown>): void =>
    void work.catch((error: unknown) => log('warn', 'not written down', { error }))
  const evidence = new Evidence(disk, dataDir)
  const onFault = (peer: PeerName, fault: Fault): void => {
    log('warn', `${petnameOf(peer)} broke the protocol: ${fault.message}${describeFacts(fault.facts)}`, {
      peer,
      code: fault.code,
    })
    outcomes.onFault(peer, fault)
    equivocations.onFault(peer, fault)
    if (fault instanceof BadBlockFault) later(evidence.keep(peer, fault, clock.nowMs()))
    ports.onFault?.(peer, fault)
  }

  // The network.
  const relayed = new RelayedBytes()
  const around = { identity, clock, random, log, store: memory, floors, relayed, onFault }
  const host = await createOwnHost(options, ports, around)
  starting.defer(async () => host.stop())
  const courier = createCourier(host.streams, { clock, log, onFault: (peer, _protocol, fault) => onFault(peer, fault) })
  starting.defer(() => courier.stop())
  const equivocations: Equivocations = new Equivocations({ notary, clock, log, courier, proofs, outcomes, care, host })
  const discovery = createDiscovery({
    notary,
    host,
    ledger,
    floors,
    clock,
    random,
    log,
    onFault,
    mayAnnounce: ports.mayAnnounce,
    onForeign: (sequence) => care.onForeignRecord(sequence),
  })
  starting.defer(async () => discovery.stop())
  const { index, seeker, publisher } = discovery
  const connected = () => host.connections().map(({ peer }) => peer)
  const meeting = standings.meet({ streams: host.streams, index, connected, onFault })

  // Data.
  const mill = ports.mill ?? starting.use(new WorkerMill({ workersMax: options.workers }, { clock, log }))
  const quotaBytes = offer?.keepBytes ?? 0
  const finder = rested(reputation, createKeeperFinder(index, seeker, clock, ending.signal))
  const keepers = directFirst(() => host.connections(), finder)
  const files = new JobFiles(join(dataDir, 'jobs'))
  starting.defer(() => files.close())
  const onSilent = (peer: PeerName): void => index.miss(peer)
  const operatorOf = (peer: PeerName) => index.get(peer)?.capability.operator || undefined
  const plane = createData({
    signer,
    network,
    host,
    isPublic: options.reach === 'public' && ports.networksMatter !== false,
    ledger,
    floors,
    relayed,
    books: { journal, machines, everyMs: ports.receiptsEveryMs },
    disk,
    mill,
    dataDir,
    quotaBytes,
    cacheBytes: options.cacheBytes ?? 0,
    bandwidth: options.bandwidth,
    clock,
    random,
    log,
    keepers,
    operatorOf,
    tarPath: () => join(files.folderOf('inputs'), `${Buffer.from(random.bytes(8)).toString('hex')}.tar`),
    onFault,
    onSilent,
    onBroken: (peer, what) => outcomes.onBroken(peer, what),
  })
  const { store, transfer, rates, objects, unpack, networkOf } = plane
  const fates = { networkOf, operatorOf }
  const data = { self, disk, mill, clock, random, store, transfer, keepers, rates, onFault, onSilent, ...fates }
  // Work and its book-keeping.
  const settling = await createSettling(
    { notary, clock, random, log, journal, ledger, damages: care.damages, courier, dataDir, onFault },
    options.money ?? plainMoney,
    () => provider.bids.somethingIsFree(),
  )
  starting.defer(async () => settling.stop())
  const standing = { of: (peer: PeerName) => reputation.standing(peer, asking) }
  const acquaint = acquaintWith({ reputation, index, host, operatorOf, isPublic: options.reach === 'public' })
  const executors = createExecutors({ wasi: ports.executor, offer, dataDir, clock, log, env: process.env })
  const book = new JobBook(viewsIn(new Jobs(ledger), later), files)
  const reporter = new JobReporter({
    clock,
    book,
    self,
    termsOf: (job) => requester.state(job)?.terms,
    explain: async (job) => matchmaker.explainJob(requester.state(job), ending.signal),
  })
  const errands = new OwnErrands({
    ...data,
    log,
    gossip: host.gossip,
    files,
    sealed: (object) => objects.sealed(object),
    keepersKnown: () => knownKeepers(index),
    unpack,
    reporter,
    onLog: (job) => book.changed(job),
    redo: async (...all) => (brakes.state.reasons.length > 0 ? null : workshop.redo(...all)),
  })
  const send = (to: PeerName, carry: Parameters<typeof sendCarry>[2]): void => sendCarry(courier, to, carry)
  const shared = { notary, clock, random, log, journal, send, onFault, standing }
  const requester: RequesterDesk = new RequesterDesk({
    ...shared,
    errands,
    acquaint,
    commitCap: settling.commitCap,
    company: reputation,
    refusalOf,
    whyNotPay: (lease) => care.whyNotPay(lease),
    onEvent: (job, event) => {
      if (event.stage === 'offered') meeting.introductions.onOffer(event.peer, ending.signal)
      if (event.stage === 'ended') files.closeLog(job)
      outcomes.onJob(job, event)
      reporter.onJob(job, event)
    },
  })
  const workshop = new LeaseWorkshop({
    ...data,
    folder: join(dataDir, 'work'),
    log,
    executor: executors.executor,
    send,
  })
  const admission = offer?.policy?.admission ?? null
  const provider = new ProviderDesk({
    ...shared,
    workshop,
    credit: settling.credit,
    ...(admission === null ? {} : { admit: async (bid, signal) => admitByProgram(admission, bid, clock, signal) }),
    onEvent: (event, state) => {
      outcomes.onLease(event, state)
      reporter.onLease(event, state)
    },
  })
  const inquire = createInquire({
    streams: host.streams,
    timekeeper: clock,
    notary,
    quote: (bid) => provider.bids.quote(bid),
  })
  starting.defer(() => ending.abort(new Error('the peer is stopping')))
  const matchmaker = new Matchmaker({
    notary,
    clock,
    random,
    log,
    inquire,
    acquaint,
    onFault,
    known: () => {
      seeker.freshen()
      return index.alive().filter(({ capability }) => capability.runtimes.length > 0)
    },
    isReachable: (peer) => host.connections().some((connection) => connection.peer === peer),
  })
  const forwards = new Forwards({ host, clock, log, executors, provider, book })
  const topic = bidTopic(network, computeClass)
  const brakes = new OwnerBrakes({ clock, log, memory, provider, hold: (isHeld) => workshop.hold(isHeld) })
  let lending: Facts | undefined
  const submissions = new Submissions({
    self,
    unit,
    clock,
    random,
    requester,
    matchmaker,
    objects,
    book,
    errands,
    checkMayBegin: () => care.checkMayBegin(),
    look: async (ask, signal) => void (await seeker.find({ kind: 'work', ask }, 1, signal)),
    packFolder: plane.packFolder,
  })
  const control = new OwnControl({
    notary,
    profile: options.profile,
    pid: process.pid,
    unit,
    clock,
    random,
    host,
    discovery,
    requester,
    provider,
    store,
    cache: plane.cache,
    quotaBytes,
    ledger,
    dataDir,
    receipts,
    care,
    money: settling.money,
    book,
    objects,
    puts: plane.puts,
    cars: plane.cars,
    objectCare: plane.care,
    storage: plane.accounts,
    transfers: plane.transfers,
    submissions,
    brakes,
    forwards,
    acquaint,
    why: async (wanted, signal) => meeting.why(wanted, signal),
    meshDegree: () => host.gossip.meshDegree(topic),
    packFolder: plane.packFolder,
    ownRecord: () => (lending === undefined ? undefined : shownRecord(self, lending, clock.nowMs())),
  })

  // Start: first what others may ask of us, then the network, then what we say of ourselves.
  await plane.serve()
  starting.defer(async () => plane.stop())
  const leases = machines.open('lease').map(({ state }) => decodeState<LeaseState>(state))
  await workshop.start(leases)
  let haveResumed = false
  await Promise.all([discovery.begin(), ...[inquire, forwards, equivocations, meeting].map(async (one) => one.serve())])
  await openRoutes(courier, notary, { provider, requester }, () => haveResumed)
  await settling.serve(() => haveResumed)
  hearBids({ gossip: host.gossip, notary, clock }, computeClass, (bid) => provider.bids.onBid(bid))
  await host.start()
  const [machine, probes] = await Promise.all([detectMachine(dataDir), executors.probe(leases)])
  for (const { state } of machines.open('job')) requester.resume(decodeState<JobState>(state))
  for (const lease of leases) provider.resume(lease)
  settling.begin(machines)
  reporter.settleLost((view) => isAtWork(view, requester, provider))
  haveResumed = true
  if (offer !== null) {
    const hardware = await (ports.readHardware ?? readHardware)(clock)
    const facts = (lending = factsOf(offer, unit, machine, hardware, probes, clock.nowMs()))
    if (ports.mayPublish === undefined) publisher.publish(facts)
    else void ports.mayPublish.then(() => publisher.publish(facts))
    starting.defer(keepTally(provider.bids.tally, memory, clock, log))
    provider.bids.lend(lendingOf(facts, offer))
  }
  starting.defer(brakes.begin(offer?.policy))
  starting.defer(
    care.begin(
      (news) => brakes.take(news),
      async (signal) => discovery.lookForOwn(signal),
    ),
  )
  plane.begin()
  starting.defer(meeting.begin())
  const running = starting.move()

  let stopping: Promise<void> | undefined
  const stop = async (): Promise<void> => {
    provider.bids.lend(null)
    await publisher.withdraw()
    // What runs for others is stopped and reported; the ledgers of both sides say how far it came.
    provider.evict()
    await idle(
      clock,
      () => provider.leases().every((lease) => lease.ending !== null || lease.task?.at === 'done'),
      runningMsMax,
    )
    await Promise.all([requester.stop(), provider.stop()])
    workshop.stop()
    await running.disposeAsync()
  }

  return {
    name: self,
    petname: petnameOf(self),
    addresses: () => host.addresses(),
    control,
    find: async (want, limit, signal) => seeker.find(want, limit, signal),
    async ready(signal) {
      const isInCompany = (): boolean =>
        host.gossip.meshDegree(topic) > 0 && (offer === null || publisher.acknowledged > 0)
      // The first peer of a network has nobody to wait for.
      const waitMs = options.bootstrap.length === 0 && host.readiness().connections === 0 ? 0 : aloneMs
      await idle(clock, isInCompany, waitMs, signal)
      const { connections } = host.readiness()
      if (connections > 0) await discovery.look(signal)
      const meshDegree = host.gossip.meshDegree(topic)
      const known = { connections, meshDegree, records: index.alive().length }
      return { ...known, firstRun: identity.fresh, keyPath: join(dataDir, 'key'), ...standsFor(offer, machine, probes) }
    },
    stop: async () =>
      (stopping ??= stop().catch((error: unknown) => log('error', 'the peer did not stop in good order', { error }))),
  }
}
