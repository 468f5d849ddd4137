/**
 * The control client: the calls of `PeerControl`, carried over the peer's unix socket. Thin on purpose: a command that asks
 * one question should not load more than it needs.
 */
import type {
  AuditView,
  BackupView,
  CarView,
  EstimateView,
  ForwardEvent,
  FoundOffersView,
  GetView,
  IncomeView,
  JobExplanationView,
  JobStreamEvent,
  JobView,
  KeyView,
  ObjectView,
  OfferView,
  PeerControl,
  PeersView,
  PutView,
  ReceiptView,
  StorageReceiptView,
  RemovedView,
  RepairView,
  SettledView,
  StandingView,
  StatementsView,
  StatusView,
  TransferView,
  VouchersView,
} from './api.ts'
import { createTransport } from './client-transport.ts'

export interface ControlClient extends PeerControl {
  /** Asks the peer to stop, in good order. */
  stop(): Promise<void>
}

/** `signal` ends whatever is under way. Every call throws a ControlError; NO_PEER when nobody answers on the socket. */
export function createControlClient(socket: string, signal: AbortSignal): ControlClient {
  const transport = createTransport(socket)
  const get = async <View>(path: string, own: AbortSignal = signal): Promise<View> =>
    (await transport.ask('GET', path, undefined, own)) as View
  const post = async <View>(path: string, body: unknown, own: AbortSignal = signal): Promise<View> =>
    (await transport.ask('POST', path, body, own)) as View
  return {
    status: async () => get<StatusView>('/v1/status'),
    peers: async () => get<PeersView>('/v1/peers'),
    peer: async (wanted, own) => get<StandingView>(`/v1/peers/${encodeURIComponent(wanted)}`, own),
    async offers(refresh, own) {
      return (await get<{ offers: OfferView[] }>(`/v1/offers${refresh ? '?find=1' : ''}`, own)).offers
    },
    findOffers: async (wish, refresh, own) => post<FoundOffersView>('/v1/offers', { find: refresh, wish }, own),
    explainJob: async (id, own) => get<JobExplanationView>(`/v1/jobs/${encodeURIComponent(id)}/explanation`, own),
    submit: async (spec, own) => post<JobView>('/v1/jobs', spec, own),
    estimate: async (spec, own) => post<EstimateView>('/v1/estimate', spec, own),
    async jobs() {
      return (await get<{ jobs: JobView[] }>('/v1/jobs')).jobs
    },
    job: async (id) => get<JobView>(`/v1/jobs/${encodeURIComponent(id)}`),
    jobEvents(id, { logs, follow }, own) {
      const query = `logs=${logs ? 1 : 0}&follow=${follow ? 1 : 0}`
      return transport.lines(`/v1/jobs/${encodeURIComponent(id)}/events?${query}`, own) as AsyncIterable<JobStreamEvent>
    },
    forward(id, { port, local }, own) {
      const query = `port=${port}&local=${local}`
      return transport.lines(`/v1/jobs/${encodeURIComponent(id)}/forward?${query}`, own) as AsyncIterable<ForwardEvent>
    },
    cancel: async (id) => post<JobView>(`/v1/jobs/${encodeURIComponent(id)}/cancel`, {}),
    rerun: async (id, options, own) => post<JobView>(`/v1/jobs/${encodeURIComponent(id)}/rerun`, options, own),
    put: async (input, own) => post<PutView>('/v1/put', input, own),
    get: async (input, own) => post<GetView>('/v1/get', input, own),
    async objects() {
      return (await get<{ objects: ObjectView[] }>('/v1/objects')).objects
    },
    removeObject: async (object, own) => post<RemovedView>('/v1/objects/remove', { object }, own),
    audit: async (object, own) => post<AuditView>('/v1/objects/audit', { object }, own),
    repair: async (input, own) => post<RepairView>('/v1/objects/repair', input, own),
    exportKey: async (object) => post<KeyView>('/v1/objects/export', { object }),
    importKey: async (input, own) => post<ObjectView>('/v1/objects/import', input, own),
    pin: async (object, own) => post<ObjectView>('/v1/objects/pin', { object }, own),
    exportCar: async (input, own) => post<CarView>('/v1/export', input, own),
    importCar: async (input, own) => post<PutView>('/v1/import', input, own),
    transfer: async (name) => get<TransferView>(`/v1/transfers/${encodeURIComponent(name)}`),
    async receipts({ sinceMs, ...names } = {}) {
      const query = new URLSearchParams({ ...names, ...(sinceMs === undefined ? {} : { since: String(sinceMs) }) })
      const path = query.size === 0 ? '/v1/receipts' : `/v1/receipts?${query.toString()}`
      return (await get<{ receipts: ReceiptView[] }>(path)).receipts
    },
    storageReceipts: async () => (await get<{ receipts: StorageReceiptView[] }>('/v1/storage-receipts')).receipts,
    receiptFile: async (id) => get<unknown>(`/v1/receipts/${encodeURIComponent(id)}`),
    receiptCredential: async (id) => get<unknown>(`/v1/receipts/${encodeURIComponent(id)}/credential`),
    backup: async (input, own) => post<BackupView>('/v1/backup', input, own),
    money: {
      statements: async () => get<StatementsView>('/v1/statements'),
      settle: async (input, own) => post<SettledView>('/v1/settle', input, own),
      vouchers: async () => get<VouchersView>('/v1/vouchers'),
      voucherFile: async (id) => get<unknown>(`/v1/vouchers/${encodeURIComponent(id)}`),
      income: async ({ role, by, sinceMs }) => get<IncomeView>(`/v1/income?role=${role}&by=${by}&since=${sinceMs}`),
    },
    join: async (address, own) => post<PeersView>('/v1/join', { address }, own),
    pause: async (input) => post<StatusView>('/v1/pause', input),
    resume: async () => post<StatusView>('/v1/resume', {}),
    async stop() {
      await post('/v1/stop', {})
    },
  }
}
