/** The owner's wishes, carried out: what stands behind the control socket. */
import { toString } from 'uint8arrays'

import type { Requirements } from '../../protocols/bid/index.ts'
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { formatMicro } from '../../protocols/wire/index.ts'
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
  type ReceiptView,
  type StatusView,
} from '../control/api.ts'
import type { Clock, Random } from '../environment.ts'
import type { Host } from '../host/index.ts'
import { HostError, petnameOf } from '../host/index.ts'
import type { Receipts } from '../ledger/receipts.ts'
import type { Acquaint } from '../market/rank.ts'
import type { ProviderDesk } from '../market/provider-desk.ts'
import type { RequesterDesk } from '../market/requester-desk.ts'
import type { ShardCache } from '../storage/cache.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import type { Discovery } from './discovery.ts'
import type { Forwards } from './forwards.ts'
import type { JobBook } from './job-book.ts'
import type { ObjectCare } from './object-care.ts'
import type { ExportInput, ImportInput, ObjectCars } from './object-cars.ts'
import type { ObjectPuts, PutInput } from './object-puts.ts'
import type { GetInput, OwnObjects } from './objects.ts'
import type { OwnerBrakes } from './owner-brakes.ts'
import type { RerunOptions } from './rerun.ts'
import type { Submissions } from './submissions.ts'
import type { Transfers } from './transfers.ts'
import { isOver, marketView, offerView, peerView, receiptView, restingView } from './views.ts'

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
  readonly receipts: Receipts
  readonly money: MoneyControl
  readonly book: JobBook
  readonly objects: OwnObjects
  readonly puts: ObjectPuts
  readonly cars: ObjectCars
  readonly care: ObjectCare
  readonly transfers: Transfers
  readonly submissions: Submissions
  readonly brakes: OwnerBrakes
  readonly forwards: Forwards
  /** Our own record, when we lend. */
  ownRecord(): KnownCapability | undefined
  readonly acquaint: Acquaint
  packFolder(path: string): Promise<string>
  readonly meshDegree: () => number
}

export class OwnControl implements PeerControl {
  readonly #deps: ControlDeps
  readonly #startedMs: number

  constructor(deps: ControlDeps) {
    this.#deps = deps
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
      warnings: host.readiness().connections === 0 ? ['no other peer is connected'] : [],
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
    return offerView(record, notary.signer.peer, acquaint(record.peer), clock.nowMs(), asked)
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
    return this.#deps.care.audit(object, signal)
  }

  async repair(input: { readonly object: string; readonly transfer?: string }, signal: AbortSignal) {
    return this.#deps.care.repair(input, signal)
  }

  async exportKey(object: string) {
    return this.#deps.objects.exportKey(object)
  }

  async importKey(input: { readonly read: string; readonly name?: string }, signal: AbortSignal) {
    return this.#deps.objects.importKey(input, signal)
  }

  async pin(object: string, signal: AbortSignal) {
    return this.#deps.care.pin(object, signal)
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

  async receipts(): Promise<readonly ReceiptView[]> {
    return this.#deps.receipts.totals().map(receiptView)
  }

  async receiptFile(leasePrefix: string): Promise<unknown> {
    const { receipts, notary } = this.#deps
    const found = receipts
      .totals()
      .filter(({ lease, job }) => lease.startsWith(leasePrefix) || job === leasePrefix || job.endsWith(leasePrefix))
    const total = found[0]
    if (total === undefined || new Set(found.map(({ lease }) => lease)).size > 1) {
      throw new ControlError({
        code: total === undefined ? 'NOT_FOUND' : 'AMBIGUOUS',
        what: total === undefined ? `no receipt for ${leasePrefix}` : `${found.length} leases fit ${leasePrefix}`,
        why: 'a receipt is named by its lease or its job',
        cure: 'pleach receipts',
        exit: 2,
      })
    }
    const base64 = (bytes: Uint8Array | undefined | null): string | null =>
      bytes == null ? null : toString(bytes, 'base64pad')
    const statement = (kind: string): string | null => base64(receipts.statement(total.lease, kind))
    return {
      v: 1,
      kind: 'pleach-receipts',
      network: notary.network,
      lease: { award: statement('award'), accept: statement('accept'), commit: statement('commit') },
      result: statement('result'),
      receipts: receipts.chain(total.lease, total.role).map(({ envelope, countersignature }) => ({
        receipt: base64(envelope),
        countersignature: base64(countersignature),
      })),
    }
  }

  async join(address: string, signal: AbortSignal): Promise<PeersView> {
    try {
      await this.#deps.host.dial(address, signal)
    } catch (error) {
      throw notJoined(address, error as Error)
    }
    return this.peers()
  }
}

function notJoined(address: string, error: Error): ControlError {
  const isWrong = error instanceof HostError && error.code === 'ADDRESS_INVALID'
  return new ControlError({
    code: isWrong ? 'ADDRESS_INVALID' : 'UNREACHABLE',
    what: isWrong ? `${address} is not an address` : `nobody answers at ${address}`,
    why: error.message,
    cure: isWrong
      ? 'pleach join /ip4/203.0.113.7/tcp/4117/p2p/12D3KooW…'
      : 'ask its owner whether it is up: pleach status',
    exit: isWrong ? 2 : 5,
  })
}
