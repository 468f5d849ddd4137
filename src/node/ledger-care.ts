/**
 * What keeps watch over the ledger while the peer is up: the chain is verified, checkpoints are made, the scrub goes round, there is
 * room to write; and what follows from each for work, and for what is signed.
 */
import { join } from 'node:path'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { refusal, type PeerName, type Refusal, type Statement } from '../../protocols/wire/index.ts'
import type { PeerOptions } from '../config/options.ts'
import { ControlError } from '../control/api.ts'
import type { Clock, Files, Log, Random } from '../environment.ts'
import { Checkpoints } from '../ledger/checkpoints.ts'
import { Damages } from '../ledger/damages.ts'
import { Doubts, type Doubt, type DoubtCode } from '../ledger/doubts.ts'
import type { MachineStates } from '../ledger/machine-states.ts'
import { Reserve, reserveBytes as reserveBytesDefault } from '../ledger/reserve.ts'
import { LedgerScrub } from '../ledger/scrub.ts'
import type { Store } from '../ledger/store.ts'
import type { Journal } from '../reactor.ts'
import { encodeState } from '../state-form.ts'
import { Chores } from './chores.ts'
import type { PeerPorts } from './ports.ts'

export interface LedgerCareDeps {
  readonly ledger: Store
  readonly notary: Notary
  readonly disk: Pick<Files, 'space'>
  readonly options: Pick<PeerOptions, 'dataDir' | 'isOnlyOne'>
  readonly ports: Pick<PeerPorts, 'reserveBytes' | 'lookForOwnEveryMs'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** What it has for the brakes. */
export type CareNews =
  | { readonly is: 'room'; readonly isLow: boolean }
  | { readonly is: 'doubt'; readonly isOn: boolean }

/** With less than this, of a small disk a fiftieth, no new work is taken; with a quarter more it is again. */
const floorBytesMax = 256 * 1024 * 1024
const floorShare = 1 / 50
const enoughTimes = 1.25
const roomEveryMs = 10_000
/** As long as a record is valid: one of another self is seen once at least. */
const ownEveryMs = 10 * 60_000
const ownFirstMs = 60_000
const scrubFirstMs = 10 * 60_000
const scrubEveryMs = 24 * 3_600_000

export class LedgerCare {
  readonly damages: Damages
  readonly doubts: Doubts
  readonly #deps: LedgerCareDeps
  readonly #checkpoints: Checkpoints
  readonly #scrub: LedgerScrub
  readonly #reserve: Reserve | undefined
  readonly #chores: Chores
  #tell: (news: CareNews) => void = () => {}
  #isLow = false

  /** Verifies what came after the last checkpoint: some milliseconds. */
  constructor(deps: LedgerCareDeps) {
    const { ledger: store, notary, options, ports, clock, random, log } = deps
    const { dataDir } = options
    const { reserveBytes = reserveBytesDefault } = ports
    this.#deps = deps
    this.damages = new Damages(store, log)
    this.doubts = new Doubts(store, log)
    const shared = { store, notary, damages: this.damages, clock, log }
    this.#checkpoints = new Checkpoints({ ...shared, doubts: this.doubts, path: join(dataDir, 'ledger.checkpoint') })
    this.#scrub = new LedgerScrub(shared)
    this.#reserve =
      reserveBytes === 0 ? undefined : new Reserve(join(dataDir, 'ledger.reserve'), random, log, reserveBytes)
    this.#chores = new Chores({ clock, random, log })
    store.onFull(() => this.#onFull())
    this.#checkpoints.begin()
    if (options.isOnlyOne === true) this.doubts.settle()
  }

  /** Where the machines of this peer are written down; while there is a doubt, without receipts that it would sign. */
  journal(machines: MachineStates): Journal {
    const { clock, notary } = this.#deps
    return {
      commit: async (entry) => {
        this.#mustNotSign(entry.statements, notary.signer.peer)
        return machines.commit(
          { ...entry, state: entry.state === null ? null : encodeState(entry.state) },
          clock.nowMs(),
        )
      },
    }
  }

  /** Watches from now on. The returned function ends it. */
  begin(tell: (news: CareNews) => void, lookForOwn: (signal: AbortSignal) => Promise<void>): () => Promise<void> {
    const { lookForOwnEveryMs: everyMs = ownEveryMs } = this.#deps.ports
    this.#tell = tell
    this.doubts.onRaised(() => tell({ is: 'doubt', isOn: true }))
    this.#chores.start([
      { name: 'the look for room', firstMs: 0, everyMs: roomEveryMs, run: async () => this.#look() },
      { name: 'the look for another self', firstMs: Math.min(ownFirstMs, everyMs), everyMs, run: lookForOwn },
      {
        name: 'the scrub of the ledger',
        firstMs: scrubFirstMs,
        everyMs: scrubEveryMs,
        run: async (signal) => void (await this.#scrub.round(signal)),
      },
    ])
    return async () => this.#chores.stop()
  }

  /** Before the ledger is closed in good order. */
  close(): void {
    this.#checkpoints.close()
  }

  /** Why nothing is countersigned in this lease. */
  whyNotPay(lease: string): Refusal | null {
    if (this.damages.has(lease)) return refusal('RECEIPTS_DAMAGED')
    return this.doubts.list().length > 0 ? refusal('IN_DOUBT') : null
  }

  /** Two statements of ours exclude each other, and this peer made one of them at most. */
  onOwnEquivocation(of: string): void {
    this.doubts.raise('PEER_TWICE', { of }, this.#deps.clock.nowMs())
  }

  /** A record of ours was heard that we never made: somebody else signs with this key. */
  onForeignRecord(sequence: number): void {
    this.doubts.raise('PEER_TWICE', { sequence }, this.#deps.clock.nowMs())
  }

  /** For whoever begins something new. Throws a ControlError IN_DOUBT or DISK_LOW. */
  checkMayBegin(): void {
    const [doubt] = this.doubts.list()
    if (doubt !== undefined)
      throw new ControlError({
        code: 'IN_DOUBT',
        what: 'this peer is not sure that it alone has its key',
        why: `${doubtWords[doubt.code](doubt)}; whoever works for it would not be paid`,
        cure: doubtCure,
        exit: 6,
      })
    if (!this.#isLow) return
    throw new ControlError({
      code: 'DISK_LOW',
      what: 'the disk of this peer is nearly full',
      why: 'what is under way needs the rest, to be written down',
      cure: `make room: du -sh ${this.#deps.options.dataDir}`,
      exit: 6,
    })
  }

  /** For `pleach status`. */
  warnings(): string[] {
    const damaged = this.damages.list()
    const leases = new Set(damaged.map(({ lease }) => lease).filter((lease) => lease !== ''))
    return [
      ...this.doubts.list().map((doubt) => `${doubtWords[doubt.code](doubt)}; nothing is lent or signed: ${doubtCure}`),
      ...(damaged.length === 0
        ? []
        : [
            `the ledger is damaged at ${damaged[0]!.place}${damaged.length > 1 ? ` and ${damaged.length - 1} more` : ''}; ` +
              `nothing is paid on ${leases.size} leases: pleach explain RECEIPTS_DAMAGED`,
          ]),
      ...(this.#isLow ? ['the disk is nearly full: no new work is taken'] : []),
    ]
  }

  #mustNotSign(statements: readonly Statement[], self: PeerName): void {
    if (this.doubts.list().length === 0) return
    const signs = statements.some(({ kind, by }) => by === self && receiptKinds.has(kind))
    if (signs) throw new Error(`no receipt is signed while ${this.doubts.list()[0]!.code} is doubted`)
  }

  #onFull(): boolean {
    this.#setLow(true)
    return this.#reserve?.release() ?? false
  }

  async #look(): Promise<void> {
    const { disk, options } = this.#deps
    const { freeBytes, totalBytes } = await disk.space(options.dataDir)
    const floorBytes = Math.min(floorBytesMax, Math.floor(totalBytes * floorShare))
    if (freeBytes < floorBytes) this.#setLow(true)
    else if (!this.#isLow) this.#reserve?.hold()
    else if (freeBytes >= floorBytes * enoughTimes) this.#setLow(!(this.#reserve?.hold() ?? true))
  }

  #setLow(isLow: boolean): void {
    if (isLow === this.#isLow) return
    this.#isLow = isLow
    this.#deps.log('warn', isLow ? 'the disk is nearly full: no new work is taken' : 'there is room again')
    this.#tell({ is: 'room', isLow })
  }
}

/** Statements of which one peer must not sign two that contradict each other. */
const receiptKinds: ReadonlySet<string> = new Set([
  'receipt',
  'countersignature',
  'storage-receipt',
  'storage-countersignature',
])

const doubtCure = 'stop the other one, or pleach up --only-one'

const doubtWords: Readonly<Record<DoubtCode, (doubt: Doubt) => string>> = {
  LEDGER_BEHIND: ({ facts }) =>
    `the ledger is an older copy: it knows ${facts['known']} statements of ${facts['signed']} that were signed`,
  LEDGER_RESTORED: () => 'the ledger comes from a backup: what was signed after it is not known',
  PEER_TWICE: () => 'another peer signs with the key of this one',
}
