/**
 * A peer behind the control interface that does no work: it answers what it was given, and tells of each job what the name
 * of its module asks for. The socket, the server, the client and the command line around it are the real ones.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'

import {
  ControlError,
  type JobSpec,
  type JobStreamEvent,
  type JobView,
  type ObjectView,
  type OfferView,
  type ForwardEvent,
  type PeerControl,
  type PeerView,
  type ReceiptView,
  type RestingView,
  type StatementView,
  type VoucherView,
} from '../../src/control/api.ts'
import { sealCredential } from '../../protocols/receipt/credential.ts'
import type { ReceiptFile } from '../../protocols/receipt/file.ts'
import { sealStorageCredential, type StorageFile } from '../../protocols/storage/file.ts'
import { asker, provider } from '../negotiate/parties.ts'
import { Account } from '../receipt/accounts.ts'
import { KeptAccount } from '../storage/accounts.ts'

export const self: PeerView = { peer: '12D3KooWSelfSelfSelfSelfSelfSelfSelfSelfSelfSelfh9Zt', petname: 'cedar-heddle' }
export const heron: PeerView = { peer: '12D3KooWHeronHeronHeronHeronHeronHeronHeronHeronHero', petname: 'quiet-heron' }
export const reed: PeerView = { peer: '12D3KooWReedReedReedReedReedReedReedReedReedReedReed', petname: 'brisk-reed' }
export const twill: PeerView = { peer: '12D3KooWTwilTwilTwilTwilTwilTwilTwilTwilTwilTwilTwil', petname: 'calm-twill' }
/** Somebody who would like to own the terminal. */
export const mallory: PeerView = { peer: '12D3KooWMallory', petname: 'evil\u001b[2J\u202eown\n' }
export const lease = 'ab12'.repeat(16)
export const object = 'bafyreiobject2222222222222222222222222222222222222222222222'

const startMs = 1_700_000_000_000

/** Two receipts, of the real machines. */
const goodReceipts = (): ReceiptFile => new Account().pays(1_000).ends(3_000).file()
/** The same of storage, the last of which only the keeper has signed. */
const keptReceipts = (): StorageFile => new KeptAccount().counts().counts({ relayBytes: 12_000_000 }, false).file()
const worker: PeerView = { peer: provider, petname: 'brisk-reed' }

export const bytesOfBigJob: Buffer = (() => {
  // Every byte value, and no text: what a careless conversion would break.
  const block = Buffer.from(Array.from({ length: 256 }, (_, index) => index))
  const bytes = Buffer.alloc(5 * 1024 * 1024)
  for (let at = 0; at < bytes.length; at += block.length) block.copy(bytes, at)
  bytes.writeUInt32LE(0xdeadbeef, 1_234_567)
  return bytes
})()

const kept: ObjectView = {
  v: 1,
  object,
  name: 'backup.tar',
  bytes: 48_200_000,
  code: '4+8',
  k: 4,
  n: 12,
  keepers: 2,
  lossesBorne: 1,
  keptUntilMs: startMs + 30 * 86_400_000,
  createdMs: startMs,
  kept: true,
  folder: false,
  healthy: 10,
  auditedMs: startMs,
}

const offer = (by: PeerView, change: Partial<OfferView>): OfferView => ({
  v: 1,
  ...by,
  self: false,
  arch: 'x86_64',
  features: [],
  cpuMilli: 2_000,
  memoryBytes: 4 * 2 ** 30,
  diskBytes: 2 ** 40,
  keepBytes: 20e9,
  gpus: [],
  runtimes: ['wasi-preview1'],
  isolation: 'wasm',
  egress: false,
  tee: '',
  region: '',
  operator: '',
  pricePerCpuHour: '1',
  askedPerCpuHour: change.pricePerCpuHour ?? '1',
  pricePerGigaGas: '0',
  pricePerGibHour: '0',
  pricePerGpuHour: '0',
  pricePerGibIn: '0',
  pricePerGibOut: '0',
  pricePerDiskGibHour: '0',
  pricePerGbMonth: '0',
  measuredPercent: 0,
  challengedPercent: 0,
  unit: 'credit',
  evidence: 'claimed',
  wallMsMax: 86_400_000,
  openForMs: null,
  freeCpuMilli: null,
  standing: 0.5,
  rttMs: null,
  expiresMs: startMs + 600_000,
  ...change,
})

const offers: readonly OfferView[] = [
  offer(twill, {
    pricePerCpuHour: '1.4',
    pricePerGigaGas: '0.002',
    cpuMilli: 4_000,
    memoryBytes: 8 * 2 ** 30,
    standing: 0.9,
    openForMs: 0,
  }),
  offer(reed, {
    gpus: [{ vendor: 'NVIDIA', model: 'L4\u001b[2J', memoryBytes: 24 * 2 ** 30, count: 2, evidence: 'claimed' }],
    region: 'eu',
    rttMs: 12.4,
  }),
  offer(mallory, { pricePerCpuHour: '10', runtimes: ['\u0007bell'], rttMs: 3 }),
]

/** One job's events, its log, and how it ends. */
interface Script {
  readonly events: readonly JobStreamEvent[]
  readonly ending: Partial<JobView>
  /** Goes on until it is cancelled, or the caller goes. */
  readonly endless?: boolean
}

const log = (channel: 'stdout' | 'stderr', bytes: Uint8Array | string): JobStreamEvent => ({
  type: 'log',
  channel,
  base64: Buffer.from(bytes).toString('base64'),
})
const at = (ms: number): number => startMs + ms

const course = (...logs: readonly JobStreamEvent[]): JobStreamEvent[] => [
  { type: 'bid', atMs: at(0), bid: 'b1d', cpuMilli: 2_000, memoryBytes: 512 * 2 ** 20, wallMs: 600_000 },
  { type: 'offer', atMs: at(20), peer: twill, price: '1.4', estimate: '0.0008' },
  { type: 'offer', atMs: at(30), peer: reed, price: '1', estimate: '0.0006' },
  { type: 'offer', atMs: at(30), peer: mallory, price: '9', estimate: '0.0090' },
  { type: 'matched', atMs: at(50), peer: reed, price: '1', offers: 3 },
  { type: 'staged', atMs: at(80), bytes: 100, shards: 6, keepers: [twill], code: '4+2' },
  { type: 'running', atMs: at(310), peer: reed },
  ...logs,
  { type: 'result', atMs: at(320), reason: 'exited', exitCode: 0, detail: '', gas: 0 },
  { type: 'collected', atMs: at(330), files: 0, bytes: 0, out: null, sources: [], decodedSegments: 0 },
  { type: 'receipt', atMs: at(340), sequence: 1, final: true, amount: '0.0006' },
]

const pieces = (bytes: Buffer, piece: number): JobStreamEvent[] =>
  Array.from({ length: Math.ceil(bytes.length / piece) }, (_, index) =>
    log('stdout', bytes.subarray(index * piece, (index + 1) * piece)),
  )

const scripts: Readonly<Record<string, (spec: JobSpec, stdin: Buffer) => Script>> = {
  'hello.wasm': () => ({ events: course(log('stdout', '42\n'), log('stderr', 'a word\n')), ending: {} }),
  'echo.wasm': (_, stdin) => ({ events: course(log('stdout', stdin)), ending: {} }),
  'big.wasm': () => ({ events: course(...pieces(bytesOfBigJob, 64 * 1024 - 1)), ending: {} }),
  'exit7.wasm': () => ({ events: course(), ending: { exitCode: 7 } }),
  'exit256.wasm': () => ({ events: course(), ending: { exitCode: 256 } }),
  'files.wasm': (spec) => ({
    events: course(),
    ending: { out: spec.out!, outputFiles: 48, outputBytes: 12_400_000, cost: '0.71' },
  }),
  'replaced.wasm': () => ({
    events: [
      ...course().slice(0, 7),
      { type: 'replacing', atMs: at(400), peer: reed, code: 'PROVIDER_SILENT', facts: { silentMs: 20_000 } },
      ...course(),
    ],
    ending: {},
  }),
  'compared.wasm': ({ name }) => ({
    events: [
      ...course().slice(0, 6),
      { type: 'checking', atMs: at(210), slot: 0, peer: heron, by: reed, same: null },
      { type: 'checked', atMs: at(300), slot: 0, peer: heron, by: reed, same: name === 'same' },
      { type: 'checking', atMs: at(310), slot: 0, peer: reed, by: self, same: null },
      { type: 'checked', atMs: at(320), slot: 0, peer: reed, by: self, same: null },
      { type: 'checked', atMs: at(330), slot: 1, peer: reed, by: null, same: null },
      ...course().slice(6),
    ],
    ending: { checked: [{ slot: 0, peer: heron, by: reed, same: name === 'same' }] },
  }),
  'endless.wasm': () => ({ events: course(log('stdout', 'begun\n')).slice(0, 8), ending: {}, endless: true }),
  'nomatch.wasm': () => ({
    events: course().slice(0, 1),
    ending: { stage: 'expired', code: 'NO_MATCH', exitCode: null, lease: null, provider: null },
  }),
  'vanish.wasm': () => ({ events: course().slice(0, 4), ending: { code: 'VANISH' } }),
}

const endings: Readonly<Record<string, Partial<JobView>>> = {
  'trapped.wasm': { stage: 'paid', code: 'PAID', reason: 'trapped', exitCode: null, detail: 'unreachable\u001b[31m' },
  'slow.wasm': { stage: 'paid', code: 'PAID', reason: 'wall-limit', exitCode: null },
  'silent.wasm': { stage: 'expired', code: 'PROVIDER_SILENT', exitCode: null },
  'liar.wasm': { stage: 'refused', code: 'RESULT_DIFFERS', exitCode: 0 },
  'dear.wasm': { stage: 'refused', code: 'OVER_BUDGET', exitCode: null },
  'cancelled.wasm': { stage: 'refused', code: 'CANCELLED', exitCode: null },
  'ledger.wasm': { stage: 'refused', code: 'LEDGER_FAILED', exitCode: null },
  'garbage.wasm': { stage: 'refused', code: 'MODULE_INVALID', reason: 'module-invalid', exitCode: null },
}

const otherPeer = reed
export const statement: StatementView = {
  v: 1,
  id: 'cd34cd34ff',
  other: otherPeer,
  unit: 'credit',
  number: 2,
  fromMs: startMs - 3_600_000,
  untilMs: startMs,
  leases: 3,
  earned: '0.12',
  spent: '0.5',
  net: '0.38',
  owes: 'we',
  disputed: [{ lease, code: 'HOLDS_LESS', weHold: '0.2', theyHold: '0' }],
  forfeits: [{ lease, by: 'they', bond: '0.4' }],
  shares: [{ owner: 'alice\u001b[2J', amount: '0.12' }],
}

export const voucher: VoucherView = {
  v: 1,
  id: 'ef56ef56aa',
  other: otherPeer,
  way: 'taken',
  unit: 'credit',
  amount: '1.5',
  sequence: 3,
  payer: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
  payee: '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359',
  expiresMs: Date.parse('2100-01-01T00:00:00Z'),
  acknowledged: true,
}

function fakeMoney(calls: string[]): PeerControl['money'] {
  return {
    statements: async () => ({
      v: 1,
      method: 'ledger',
      accounts: [
        {
          other: otherPeer,
          unit: 'credit',
          net: '1.5',
          owes: 'they',
          unsettledLeases: 2,
          unsettled: '0.02',
          unsettledOwes: 'we',
          state: 'open',
        },
      ],
      statements: [statement],
    }),
    settle: async ({ peer = 'all' }) => {
      calls.push(`settle ${peer}`)
      if (peer === 'mallory')
        return {
          v: 1,
          method: 'ledger',
          settled: [{ other: mallory, unit: 'credit', outcome: 'unanswered', statement: null }],
        }
      return { v: 1, method: 'ledger', settled: [{ other: otherPeer, unit: 'credit', outcome: 'agreed', statement }] }
    },
    vouchers: async () => ({ v: 1, method: 'vouchers', vouchers: [voucher] }),
    voucherFile: async (prefix) => {
      if (voucher.id.startsWith(prefix)) return { v: 1, kind: 'pleach-voucher' }
      throw notFound(`no voucher begins with ${prefix}`, 'pleach voucher ls')
    },
    income: async ({ role, by, sinceMs }) => {
      calls.push(`income ${role} by ${by} since ${sinceMs > 0 ? 'then' : 'ever'}`)
      const rows = [
        {
          key: by === 'peer' ? otherPeer.peer : by === 'job' ? 'bafyjobjobjob91c0' : '2026-11-26',
          other: by === 'peer' ? otherPeer : null,
          amount: '0.71',
          unit: 'credit',
          leases: 2,
          lastMs: startMs,
        },
        { key: '2026-11-25', other: null, amount: '3', unit: 'euro', leases: 1, lastMs: startMs },
      ]
      const shares = role === 'provider' ? [{ owner: 'alice', amount: '0.71' }] : []
      return {
        v: 1,
        role,
        by,
        sinceMs,
        rows,
        totals: [
          { amount: '0.71', unit: 'credit', shares },
          { amount: '3', unit: 'euro', shares: [] },
        ],
      }
    },
  }
}

export class FakeControl implements PeerControl {
  /** What was asked for, in words. */
  readonly calls: string[] = []
  readonly specs: JobSpec[] = []
  /** Streams of events that are open now. */
  streams = 0
  readonly #jobs: JobView[] = []
  #stdin = Buffer.alloc(0)
  readonly #ended = new Map<string, () => void>()

  resting: RestingView | null = null

  status: PeerControl['status'] = async () => ({
    v: 1,
    ...self,
    network: 'main',
    profile: 'default',
    pid: 812,
    upMs: 3 * 3_600_000,
    addresses: ['/ip4/192.0.2.1/tcp/4117'],
    connections: 5,
    relay: {
      through: [{ peer: 'r', petname: 'dusk-weir', rttMs: 38.4 }],
      carries: { peers: 2, connections: 3, bytes: 12e6 },
    },
    meshDegree: 4,
    recordsKnown: 17,
    offering: offer(self, { self: true, cpuMilli: 6_000, memoryBytes: 16 * 2 ** 30, keepBytes: 100e9 }),
    resting: this.resting,
    market: {
      bidsSeen: 214,
      answered: 61,
      won: 9,
      notAnswered: { 'over memory': 16, 'needs gpu': 96, 'price below floor': 41 },
      lost: { 'not chosen': 9, 'dearer than winner': 38 },
      dearerPercent: 18,
      hint: { price: '0.85', wouldHaveWon: 21 },
    },
    jobs: { done: 9, failed: 0, running: 1 },
    receipts: { bothSigned: 9, earned: '3.42', spent: '0', unit: 'credit' },
    keeping: { shards: 12, bytes: 1_200_000_000, quotaBytes: 100_000_000_000 },
    cached: { shards: 3, bytes: 300_000_000, quotaBytes: 10_000_000_000 },
    warnings: ['inbound only by relay\u001b[2J (+38 ms)'],
  })

  pause: PeerControl['pause'] = async ({ forMs = null, now = false }) => {
    this.resting = { because: 'PAUSED', leftMs: forMs, handsBackInMs: now ? null : 120_000 }
    return this.status()
  }

  resume: PeerControl['resume'] = async () => {
    this.resting = null
    return this.status()
  }

  peers: PeerControl['peers'] = async () => ({
    v: 1,
    peers: [
      {
        ...reed,
        address: '/ip4/203.0.113.7/tcp/4117',
        direction: 'outbound',
        encrypter: 'tls',
        openMs: 41_000,
        standing: '0.62',
      },
      {
        ...mallory,
        address: '/ip4/203.0.113.8/tcp/1',
        direction: 'inbound',
        encrypter: 'noise',
        openMs: 100,
        standing: 'unknown',
      },
    ],
  })

  peer: PeerControl['peer'] = async () => ({
    v: 1,
    ...reed,
    standing: 0.62,
    familiarity: 'known',
    terms: [
      { of: 'prior', what: 'prior', amount: 1, weight: 1 },
      { of: 'prior', what: 'prior', amount: 1, weight: -1 },
      { of: 'wasi-preview1', what: 'success', amount: 4, weight: 1 },
      { of: 'wasi-preview1', what: 'noShow', amount: 2.06, weight: -1 },
    ],
    experience: [
      {
        doing: 'wasi-preview1',
        success: 4,
        refused: 0,
        noShow: 2.06,
        fault: 0,
        paid: '0.71',
        startMs: 310,
        evidence: ['SILENT {"waitedMs":4000}', 'OUTPUTS_SLOW \u001b[31m'],
      },
    ],
    references: [{ ...mallory, jobs: 0.5, signed: '1.5' }],
    coolDown: { untilMs: Date.now() + 100_000, because: 'noShow' },
    provenUntilMs: null,
    uptime: { share: 0.97, looks: 212, enough: true },
    trustInStrangers: 0.4,
  })

  offers: PeerControl['offers'] = async (refresh) => {
    this.calls.push(`offers ${refresh ? 'asked for' : 'known'}`)
    return offers
  }

  findOffers: PeerControl['findOffers'] = async (wish, refresh) => {
    this.calls.push(`offers ${refresh ? 'asked for' : 'known'} for ${JSON.stringify(wish)}`)
    const { cpuMilli = 0, memoryBytes = 0, gpus = 0 } = wish
    const fitting = offers.filter(
      (one) => one.cpuMilli >= cpuMilli && one.memoryBytes >= memoryBytes && one.gpus.length >= Math.min(1, gpus),
    )
    return { v: 1, offers: fitting.map((one) => ({ ...one, askedPerCpuHour: '2.5' })), explanation }
  }

  explainJob: PeerControl['explainJob'] = async (prefix) => ({
    v: 1,
    job: this.#find(prefix).id,
    providers: [
      { ...twill, verdict: 'lacks', code: 'LACKS_CPU', reasons: ['cpu (4 < 8)', 'region (de, not eu)'] },
      { ...mallory, verdict: 'declined', code: 'BAD\u001b[2J', reasons: ['busy\n (wanted 2)', 'now: busy'] },
      { ...reed, verdict: 'took', code: null, reasons: ['took it'] },
    ],
  })

  estimate: PeerControl['estimate'] = async ({ module = '', cpuMilli = 1_000 }) => {
    this.calls.push(`estimate ${basename(module)} ${cpuMilli}`)
    const nobody = module.endsWith('nomatch.wasm')
    return {
      v: 1,
      known: 17,
      reachable: 15,
      pass: nobody ? 0 : 3,
      asked: nobody ? 0 : 3,
      answered: nobody ? 0 : module.endsWith('slow.wasm') ? 2 : 3,
      ready: nobody ? 0 : 2,
      startInMs: nobody ? null : 1_960,
      costFrom: nobody ? null : '0.9',
      costTo: nobody ? null : '1.3',
      pricesPerCpuHour: nobody ? [] : ['1.0', '1.4'],
      unit: 'credit',
      explanation,
    }
  }

  submit: PeerControl['submit'] = async (spec) => {
    this.specs.push(spec)
    // Like a peer: what the spec names has been read when the answer comes.
    if (spec.stdin !== undefined && spec.stdin.includes('pleach-stdin-')) this.#stdin = readFileSync(spec.stdin)
    const id = `bafy${createHash('sha256').update(String(this.specs.length)).digest('hex').slice(0, 20)}`
    const name = nameOf(spec)
    if (name === 'nofile.wasm') {
      const cure = 'ls -l'
      throw new ControlError({
        code: 'NO_SUCH_FILE',
        what: `${spec.module} cannot be read`,
        why: 'none',
        cure,
        exit: 2,
      })
    }
    const job: JobView = {
      v: 1,
      id,
      name,
      role: 'requester',
      stage: 'bidding',
      code: '',
      provider: null,
      requester: self,
      lease: null,
      reason: null,
      exitCode: null,
      detail: '',
      cost: '0',
      unit: 'credit',
      createdMs: startMs,
      updatedMs: startMs,
      out: null,
      outputFiles: 0,
      outputBytes: 0,
      attempts: 0,
    }
    this.#jobs.unshift(job)
    return job
  }

  jobs: PeerControl['jobs'] = async () => this.#jobs
  job: PeerControl['job'] = async (prefix) => this.#find(prefix)

  async *jobEvents(
    prefix: string,
    { logs, follow }: { logs: boolean; follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<JobStreamEvent> {
    const job = this.#find(prefix)
    this.streams++
    try {
      yield { type: 'job', job }
      const spec = this.specs.find((one) => nameOf(one) === job.name)!
      const program = basename(spec.module ?? spec.image ?? '')
      const script = scripts[program]?.(spec, this.#stdin) ?? {
        events: course().slice(0, 7),
        ending: endings[program] ?? {},
      }
      for (const event of script.events) {
        if (signal.aborted) return
        if (event.type !== 'log' || logs) yield event
      }
      if (script.endless === true && follow) await this.#untilCancelled(job.id, signal)
      if (signal.aborted || script.ending.code === 'VANISH') return
      const ended = this.#change(job.id, {
        stage: 'paid',
        code: 'PAID',
        provider: reed,
        lease,
        reason: 'exited',
        exitCode: 0,
        cost: '0.0006',
        attempts: 1,
        ...script.ending,
      })
      yield { type: 'end', atMs: at(350), job: ended, explanation: ended.code === 'NO_MATCH' ? explanation : null }
    } finally {
      this.streams--
    }
  }

  async *forward(
    prefix: string,
    { port, local }: { readonly port: number; readonly local: number },
    signal: AbortSignal,
  ): AsyncGenerator<ForwardEvent> {
    const job = this.#find(prefix)
    this.calls.push(`forward ${prefix} ${local}:${port}`)
    yield { type: 'listening', port: local }
    yield { type: 'refused', port: local, code: 'PORT_CLOSED', why: 'nobody\u001b[2J listens' }
    if (!signal.aborted) yield { type: 'end', job }
  }

  cancel: PeerControl['cancel'] = async (prefix) => {
    const job = this.#find(prefix)
    this.calls.push(`cancel ${prefix}`)
    this.#ended.get(job.id)?.()
    if (job.code === '') this.#change(job.id, { stage: 'refused', code: 'CANCELLED' })
    // As it was: stopping takes a while.
    return job
  }

  rerun: PeerControl['rerun'] = async (prefix, { out }) => {
    const { name } = this.#find(prefix)
    this.calls.push(`rerun ${prefix} ${out ?? ''}`)
    return this.submit({ module: name }, new AbortController().signal)
  }

  put: PeerControl['put'] = async ({ path, code, name, convergent }) => {
    this.calls.push(`put ${path} ${code ?? 'keep'} ${name ?? ''}${convergent === true ? ' convergent' : ''}`)
    return {
      v: 1,
      object,
      read: `pleach:read:${object}:k3y`,
      bytes: 48_200_000,
      k: 4,
      n: 12,
      keepers: [reed, twill],
      name: name ?? basename(path),
      verify: `pleach:verify:${object}`,
      keptUntilMs: startMs + 30 * 86_400_000,
      happiness: 2,
      lossesBorne: 1,
      operatorsBorne: null,
      keepersTold: 2,
      recordsStored: 6,
      shardsThere: convergent === true ? 12 : 0,
      folder: false,
    }
  }

  exportCar: PeerControl['exportCar'] = async ({ object: wanted, path }) => {
    this.calls.push(`export ${wanted} ${path}`)
    if (path.includes('pleach-stdout-')) writeFileSync(path, 'a whole CAR')
    const [read, verify] = [`pleach:read:${object}:k3y`, `pleach:verify:${object}`]
    return {
      v: 1,
      object,
      name: kept.name,
      path,
      bytes: 48_300_000,
      read: wanted.startsWith('pleach:verify:') ? null : read,
      verify,
      sources: [],
    }
  }

  backup: PeerControl['backup'] = async ({ path }) => {
    this.calls.push(`backup ${path}`)
    return { v: 1, path, peer: self.peer, bytes: 48_000, receipts: 3, madeMs: startMs }
  }

  importCar: PeerControl['importCar'] = async ({ path, read, name }, signal) => {
    const taken = await this.put({ path, ...(name === undefined ? {} : { name }) }, signal)
    this.calls.push(`import ${path} ${read ?? ''}`)
    return taken
  }

  objects: PeerControl['objects'] = async () => [kept]

  removeObject: PeerControl['removeObject'] = async (wanted) => {
    this.calls.push(`remove ${wanted}`)
    return { ...kept, shardsPlaced: 12, shardsReleased: 10 }
  }

  audit: PeerControl['audit'] = async (wanted) => {
    this.calls.push(`audit ${wanted}`)
    const common = { atMs: startMs, keptUntilMs: kept.keptUntilMs }
    return {
      v: 1,
      object,
      name: kept.name,
      k: 4,
      n: 12,
      healthy: 10,
      missing: [3, 7],
      repairAt: 8,
      lossesBorne: 1,
      operatorsBorne: 0,
      results: [
        { shard: 0, keeper: reed, verdict: 'passed', reason: '', ...common },
        { shard: 3, keeper: twill, verdict: 'failed', reason: 'NOT_FOUND', ...common },
        { shard: 7, keeper: mallory, verdict: 'absent', reason: 'gone\u001b[2J', ...common },
      ],
    }
  }

  repair: PeerControl['repair'] = async ({ object: wanted }) => {
    this.calls.push(`repair ${wanted}`)
    return {
      v: 1,
      object,
      name: kept.name,
      k: 4,
      n: 12,
      healthyBefore: 10,
      healthyAfter: 11,
      lossesBorne: 1,
      repaired: [{ shard: 3, keeper: reed }],
      missing: [7],
      why: 'no keeper for shard 7 (there are no keepers)',
    }
  }

  exportKey: PeerControl['exportKey'] = async () => ({
    v: 1,
    object,
    name: kept.name,
    read: `pleach:read:${object}:k3y`,
    verify: `pleach:verify:${object}`,
  })

  importKey: PeerControl['importKey'] = async ({ read, name }) => {
    this.calls.push(`import ${read} ${name ?? ''}`)
    return kept
  }

  pin: PeerControl['pin'] = async (wanted) => {
    this.calls.push(`pin ${wanted}`)
    return kept
  }

  transfer: PeerControl['transfer'] = async () => ({
    v: 1,
    phase: 'placing',
    doneBytes: 24_100_000,
    totalBytes: 48_200_000,
    phaseMs: 1_000,
  })

  get: PeerControl['get'] = async ({ object: wanted, path }) => {
    this.calls.push(`get ${wanted} ${path}`)
    if (path.includes('pleach-stdout-')) writeFileSync(path, 'what was put')
    return { v: 1, object, bytes: 48_200_000, path, sources: [{ peer: reed, bytes: 48_200_000 }], decodedSegments: 2 }
  }

  receipts: PeerControl['receipts'] = async (filter = {}) => {
    this.calls.push(`receipts ${JSON.stringify(filter)}`)
    return [{ ...this.#receipt, ...(filter.lease === undefined ? {} : { lease: filter.lease, other: worker }) }]
  }

  storageReceipts: PeerControl['storageReceipts'] = async () => [
    {
      v: 1,
      account: new KeptAccount().account.id,
      role: 'owner',
      other: worker,
      period: '2026-03',
      receipts: 7,
      storeMibS: 9_216_000,
      auditsPassed: 28,
      inBytes: 1_048_576,
      outBytes: 58_720_256,
      relayBytes: 12_000_000,
    },
  ]

  readonly #receipt: ReceiptView = {
    v: 1,
    lease,
    job: 'bafyjobjobjob91c0',
    role: 'requester',
    other: reed,
    receipts: 3,
    bothSigned: 3,
    final: true,
    amount: '0.71',
    unit: 'credit',
    disputed: '',
    updatedMs: startMs,
  }

  /** Of the lease that its list shows a disk has made something else; `good` is one that holds, `kept` one of storage. */
  receiptFile: PeerControl['receiptFile'] = async (prefix) => {
    if (lease.startsWith(prefix)) return { v: 1, kind: 'pleach-receipts', network: 'main', lease: {}, receipts: [] }
    if (prefix === 'good') return goodReceipts()
    if (prefix === 'kept') return keptReceipts()
    throw notFound(`no lease begins with ${prefix}`, 'pleach receipts')
  }

  receiptCredential: PeerControl['receiptCredential'] = async (prefix) => {
    if (prefix === 'good') return sealCredential(asker, goodReceipts(), startMs + 60_000)
    if (prefix === 'kept') return sealStorageCredential(asker, keptReceipts(), startMs + 60_000)
    throw notFound(`no lease begins with ${prefix}`, 'pleach receipts')
  }

  readonly money: PeerControl['money'] = fakeMoney(this.calls)

  join: PeerControl['join'] = async (address) => {
    this.calls.push(`join ${address}`)
    if (address.includes('198.51.100.')) throw new Error('a bug of the peer')
    return this.peers()
  }

  #find(prefix: string): JobView {
    const found = this.#jobs.find(({ id }) => id.startsWith(prefix) || id.endsWith(prefix))
    if (found === undefined) throw notFound(`no job begins with ${prefix}`, 'pleach jobs')
    return found
  }

  #change(id: string, change: Partial<JobView>): JobView {
    const index = this.#jobs.findIndex((job) => job.id === id)
    return (this.#jobs[index] = { ...this.#jobs[index]!, ...change })
  }

  async #untilCancelled(id: string, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#ended.set(id, resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

const explanation = {
  known: 17,
  reachable: 15,
  answered: 0,
  excluded: [
    { requirement: 'memory >= 24Gi', count: 11, onlyThis: 2, relax: '--memory 16Gi' },
    { requirement: 'cpu >= 8', count: 2, onlyThis: 0, relax: null },
    { requirement: 'price <= 1/h', count: 1, onlyThis: 1, relax: '--max-price 1.15' },
  ],
  silent: 1,
  declined: [{ reason: 'bu\u0007sy', count: 2 }],
  unexplained: 0,
  nearest: { ...twill, reasons: ['price (1.15/h > 1/h)'] },
}

function notFound(what: string, cure: string): ControlError {
  return new ControlError({ code: 'NOT_FOUND', what, why: 'it was never here, or its record is gone', cure, exit: 2 })
}

function nameOf({ name, module, image = '' }: JobSpec): string {
  return name ?? basename(module ?? image)
}
