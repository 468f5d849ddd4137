/** The owner's wishes, carried out: what stands behind the control socket. */
import type { Requirements } from '../../protocols/bid/index.ts'
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Credential } from '../../protocols/receipt/credential.ts'
import type { ReceiptFile } from '../../protocols/receipt/file.ts'
import type { StorageFile } from '../../protocols/storage/file.ts'
import { formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import {
  ControlError,
  type EstimateView,
  type FoundOffersView,
  type JobExplanationView,
  type JobSpec,
  type JobView,
  type MoneyControl,
  type OfferView,
  type OfferWish,
  type PeerControl,
  type PeersView,
  type ReceiptFilter,
  type ReceiptView,
  type StorageReceiptView,
  type StandingView,
  type StatusView,
} from '../control/api.ts'
import type { Clock, Random } from '../environment.ts'
import type { Host } from '../host/index.ts'
import { petnameOf } from '../host/index.ts'
import type { Damage } from '../ledger/damages.ts'
import type { Receipts } from '../ledger/receipts.ts'
import type { Store } from '../ledger/store.ts'
import type { Acquaint } from '../market/rank.ts'
import type { ProviderDesk } from '../market/provider-desk.ts'
import type { RequesterDesk } from '../market/requester-desk.ts'
import type { ShardCache } from '../storage/cache.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import { writeBackup } from './backup.ts'
import type { Discovery } from './discovery.ts'
import type { Forwards } from './forwards.ts'
import type { JobBook } from './job-book.ts'
import { checkJoined, connectionWarnings, introduced, introductionMs, notJoined } from './joining.ts'
import type { LedgerCare } from './ledger-care.ts'
import type { ObjectCare } from './object-care.ts'
import type { ExportInput, ImportInput, ObjectCars } from './object-cars.ts'
import type { ObjectPuts, PutInput } from './object-puts.ts'
import type { GetInput, OwnObjects } from './objects.ts'
import type { OwnerBrakes } from './owner-brakes.ts'
import type { RerunOptions } from './rerun.ts'
import type { StorageAccounts } from './storage-accounts.ts'
import type { Submissions } from './submissions.ts'
import type { Transfers } from './transfers.ts'
import { ReceiptFiles } from './receipt-files.ts'
import { relayView, relayWarnings } from './relays.ts'
import { isOver, marketView, offerView, peerView, restingView } from './views.ts'

export interface ControlDeps {
  readonly notary: Notary
  readonly profile: string
  readonly pid: number
  readonly unit: string
  readonly clock: Clock
  readonly random: Random
  readonly host: Host
  readonly discovery: Discovery
  readonly requester: RequesterDesk
  readonly provider: ProviderDesk
  readonly store: ShardStore
  readonly cache: Pick<ShardCache, 'total'>
  readonly quotaBytes: number
  readonly ledger: Store
  readonly dataDir: string
  readonly receipts: Receipts
  readonly care: LedgerCare
  readonly money: MoneyControl
  readonly book: JobBook
  readonly objects: OwnObjects
  readonly puts: ObjectPuts
  readonly cars: ObjectCars
  readonly objectCare: ObjectCare
  readonly storage: Pick<StorageAccounts, 'list' | 'receipts'>
  readonly transfers: Transfers
  readonly submissions: Submissions
  readonly brakes: OwnerBrakes
  readonly forwards: Forwards
  /** Our own record, when we lend. */
  ownRecord(): KnownCapability | undefined
  readonly acquaint: Acquaint
  /** What is thought of a peer. */
  why(wanted: string, signal: AbortSignal): Promise<StandingView>
  packFolder(path: string): Promise<string>
  readonly meshDegree: () => number
}

export class OwnControl implements PeerControl {
  readonly #deps: ControlDeps
  readonly #startedMs: number
  readonly #receiptFiles: ReceiptFiles

  constructor(deps: ControlDeps) {
    this.#deps = deps
    const damageOf = (id: string): ControlError | undefined => {
      const damage = deps.care.damages.list().find(({ lease }) => lease !== '' && lease.startsWith(id))
      return damage === undefined ? undefined : receiptsDamaged(damage)
    }
    this.#receiptFiles = new ReceiptFiles({ ...deps, damageOf })
    this.#startedMs = deps.clock.nowMs()
  }

  get money(): MoneyControl {
    return this.#deps.money
  }

  async status(): Promise<StatusView> {
    const {
      notary,
      profile,
      pid,
      host,
      discovery,
      provider,
      receipts,
      book,
      store,
      cache,
      quotaBytes,
      clock,
      unit,
      meshDegree,
    } = this.#deps
    const self = notary.signer.peer
    const own = this.#deps.ownRecord()
    const totals = receipts.totals()
    const sum = (role: ReceiptView['role']): string =>
      formatMicro(
        totals
          .filter((total) => total.role === role && total.unit === unit)
          .reduce((amount, total) => amount + total.amountMicro, 0),
      )
    const jobs = book.list()
    return {
      v: 1,
      peer: self,
      petname: petnameOf(self),
      network: notary.network,
      profile,
      pid,
      upMs: clock.nowMs() - this.#startedMs,
      addresses: host.addresses(),
      connections: host.readiness().connections,
      relay: relayView(host),
      meshDegree: meshDegree(),
      recordsKnown: discovery.index.alive().length,
      offering: own === undefined ? null : this.#offerView(own),
      resting: restingView(this.#deps.brakes.state, clock.nowMs()),
      market: marketView(provider.bids.tally, clock.nowMs()),
      jobs: {
        done: jobs.filter(({ stage }) => stage === 'paid').length,
        failed: jobs.filter(({ stage }) => stage === 'refused' || stage === 'expired').length,
        running: jobs.filter(({ stage }) => !isOver(stage)).length,
      },
      receipts: {
        bothSigned: totals.reduce((count, total) => count + total.bothSigned, 0),
        earned: sum('provider'),
        spent: sum('requester'),
        unit,
      },
      keeping: { ...store.total(), quotaBytes },
      cached: cache.total(),
      warnings: [
        ...this.#deps.care.warnings(),
        ...relayWarnings(host),
        ...connectionWarnings(host.connections(), notary.network),
      ],
    }
  }

  async pause({ forMs, now = false }: { readonly forMs?: number; readonly now?: boolean }): Promise<StatusView> {
    this.#deps.brakes.pause(forMs === undefined ? null : this.#deps.clock.nowMs() + forMs, now)
    return this.status()
  }

  async resume(): Promise<StatusView> {
    this.#deps.brakes.resume()
    return this.status()
  }

  async peers(): Promise<PeersView> {
    const { host, clock, acquaint } = this.#deps
    const nowMs = clock.nowMs()
    return {
      v: 1,
      peers: host.connections().map(({ peer, address, direction, encrypter, openedMs }) => ({
        ...peerView(peer),
        address,
        direction,
        encrypter,
        openMs: Math.max(0, nowMs - openedMs),
        standing: acquaint(peer).standing.toFixed(2),
      })),
    }
  }

  async peer(wanted: string, signal: AbortSignal): Promise<StandingView> {
    return this.#deps.why(wanted, signal)
  }

  async offers(refresh: boolean, signal: AbortSignal): Promise<readonly OfferView[]> {
    const { discovery } = this.#deps
    if (refresh) await discovery.look(signal)
    const own = this.#deps.ownRecord()
    return [...(own === undefined ? [] : [own]), ...discovery.index.alive()].map((record) => this.#offerView(record))
  }

  async findOffers(wish: OfferWish, refresh: boolean, signal: AbortSignal): Promise<FoundOffersView> {
    if (refresh) await this.offers(true, signal)
    const { fitting, explanation, requirements } = this.#deps.submissions.find(wish)
    return { v: 1, offers: fitting.map((record) => this.#offerView(record, requirements)), explanation }
  }

  async explainJob(idPrefix: string, signal: AbortSignal): Promise<JobExplanationView> {
    const { submissions, book } = this.#deps
    return submissions.explain(book.find(idPrefix), signal)
  }

  #offerView(record: KnownCapability, asked?: Requirements): OfferView {
    const { notary, acquaint, clock } = this.#deps
    return offerView(
      record,
      notary.signer.peer,
      acquaint(record.peer, record.capability.runtimes[0]?.name),
      clock.nowMs(),
      asked,
    )
  }

  async submit(spec: JobSpec, signal: AbortSignal): Promise<JobView> {
    return this.#deps.submissions.submit(spec, signal)
  }

  async estimate(spec: JobSpec, signal: AbortSignal): Promise<EstimateView> {
    return this.#deps.submissions.estimate(spec, signal)
  }

  async jobs(): Promise<readonly JobView[]> {
    return this.#deps.book.list()
  }

  async job(idPrefix: string): Promise<JobView> {
    return this.#deps.book.find(idPrefix)
  }

  jobEvents(idPrefix: string, options: { readonly logs: boolean; readonly follow: boolean }, signal: AbortSignal) {
    const { book } = this.#deps
    return book.stream(book.find(idPrefix).id, options, signal)
  }

  forward(idPrefix: string, options: { readonly port: number; readonly local: number }, signal: AbortSignal) {
    return this.#deps.forwards.listen(this.#deps.book.find(idPrefix).id, options, signal)
  }

  async cancel(idPrefix: string): Promise<JobView> {
    const view = this.#deps.book.find(idPrefix)
    this.#deps.requester.cancel(view.id)
    return view
  }

  async rerun(idPrefix: string, options: RerunOptions, signal: AbortSignal): Promise<JobView> {
    return this.#deps.submissions.rerun(this.#deps.book.find(idPrefix), options, signal)
  }

  async put(input: PutInput, signal: AbortSignal) {
    return this.#deps.puts.put(input, signal)
  }

  async get(input: GetInput, signal: AbortSignal) {
    return this.#deps.objects.get(input, signal)
  }

  async objects() {
    return this.#deps.objects.list()
  }

  async removeObject(object: string, signal: AbortSignal) {
    return this.#deps.objects.remove(object, signal)
  }

  async audit(object: string, signal: AbortSignal) {
    return this.#deps.objectCare.audit(object, signal)
  }

  async repair(input: { readonly object: string; readonly transfer?: string }, signal: AbortSignal) {
    return this.#deps.objectCare.repair(input, signal)
  }

  async exportKey(object: string) {
    return this.#deps.objects.exportKey(object)
  }

  async importKey(input: { readonly read: string; readonly name?: string }, signal: AbortSignal) {
    return this.#deps.objects.importKey(input, signal)
  }

  async pin(object: string, signal: AbortSignal) {
    return this.#deps.objectCare.pin(object, signal)
  }

  async exportCar(input: ExportInput, signal: AbortSignal) {
    return this.#deps.cars.write(input, signal)
  }

  async importCar(input: ImportInput, signal: AbortSignal) {
    return this.#deps.cars.take(input, signal)
  }

  async transfer(name: string) {
    return this.#deps.transfers.view(name)
  }

  async receipts(filter: ReceiptFilter = {}): Promise<readonly ReceiptView[]> {
    return this.#receiptFiles.list(filter)
  }

  async storageReceipts(): Promise<readonly StorageReceiptView[]> {
    return this.#deps.storage.list().map(({ other, usage, ...account }) => ({
      v: 1,
      ...account,
      other: peerView(other),
      ...usage,
    }))
  }

  async receiptFile(idPrefix: string): Promise<ReceiptFile | StorageFile> {
    return this.#receiptFiles.file(idPrefix)
  }

  async receiptCredential(idPrefix: string): Promise<Credential> {
    return this.#receiptFiles.credential(idPrefix)
  }

  async backup(input: Parameters<PeerControl['backup']>[0], signal: AbortSignal) {
    return writeBackup(this.#deps, input, signal)
  }

  async join(address: string, signal: AbortSignal): Promise<PeersView> {
    const { host, notary, clock } = this.#deps
    let peer: PeerName
    try {
      peer = await host.dial(address, signal)
    } catch (error) {
      throw notJoined(address, error as Error)
    }
    using patience = clock.deadline(introductionMs, signal)
    await introduced(host, peer, patience.signal)
    checkJoined(address, peer, host.connections(), notary.network)
    return await this.peers()
  }
}

function receiptsDamaged({ place, what, lease }: Damage): ControlError {
  return new ControlError({
    code: 'RECEIPTS_DAMAGED',
    what: `the receipts of lease ${lease.slice(0, 8)} are damaged`,
    why: `${place}: ${what}`,
    cure: 'pleach restore FILE   into another profile; the other peer has its copy',
    exit: 3,
  })
}
