/** The data of several peers, as production puts it together, over a switchboard and a bulletin in memory. Their clock can be put on. */
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { placementRules } from '../../protocols/placement/index.ts'
import type { Bulletin, Fault, PeerName, RecordRules, Signer } from '../../protocols/wire/index.ts'
import { realClock, realFiles, realRandom, silentLog, type Clock } from '../../src/environment.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { SequenceFloors } from '../../src/ledger/sequence-floors.ts'
import { Store } from '../../src/ledger/store.ts'
import { RelayedBytes } from '../../src/node/byte-tally.ts'
import { createData, type DataPlane } from '../../src/node/data.ts'
import type { Journal } from '../../src/reactor.ts'
import { encodeState } from '../../src/state-form.ts'
import { LocalMill } from '../../src/storage/local-mill.ts'
import { Switchboard } from './channel-pair.ts'
import { network, signer } from './peers.ts'

/** A bulletin that loses nothing, and believes only what is lawful. */
export class MemoryBulletin {
  readonly records = new Map<string, Uint8Array>()
  readonly adverts = new Map<string, Set<PeerName>>()
  readonly #rules: RecordRules
  readonly #clock: Pick<Clock, 'nowMs'>

  constructor(rules: RecordRules, clock: Pick<Clock, 'nowMs'>) {
    this.#rules = rules
    this.#clock = clock
  }

  of(self: PeerName): Bulletin {
    const { records, adverts } = this
    const nameOf = (namespace: string, key: Uint8Array): string => `${namespace} ${key.join()}`
    return {
      put: async (namespace, key, value) => {
        this.#rules.validate(key, value, this.#clock.nowMs())
        const known = records.get(nameOf(namespace, key))
        const values = known === undefined ? [value] : [known, value]
        records.set(nameOf(namespace, key), values[this.#rules.select(key, values)]!)
        return 1
      },
      get: async (namespace, key) => records.get(nameOf(namespace, key)),
      advertise: async (name) => void adverts.set(name, (adverts.get(name) ?? new Set()).add(self)),
      withdraw: async () => {},
      async *find(name, limit) {
        yield* [...(adverts.get(name) ?? [])].filter((peer) => peer !== self).slice(0, limit)
      },
    }
  }
}

export interface PlanePeer {
  readonly signer: Signer
  readonly plane: DataPlane
  /** As if a host had counted it. */
  readonly relayed: RelayedBytes
  readonly ledger: Store
  readonly folder: string
  readonly lends: boolean
  readonly broken: string[]
  readonly faults: Fault[]
}

export class Planes implements AsyncDisposable {
  readonly board = new Switchboard()
  readonly peers: PlanePeer[] = []
  readonly logged: {
    readonly level: string
    readonly message: string
    readonly facts: Readonly<Record<string, unknown>>
  }[] = []
  /** Who runs whom, as they say. */
  readonly operators = new Map<PeerName, string>()
  readonly folder: string
  readonly #cacheBytes: number
  aheadMs = 0
  readonly clock: Clock = { ...realClock, nowMs: () => realClock.nowMs() + this.aheadMs }
  readonly bulletin = new MemoryBulletin(placementRules(signer(0), network), this.clock)

  private constructor(folder: string, cacheBytes: number) {
    this.folder = folder
    this.#cacheBytes = cacheBytes
  }

  /** The first `lendNothing` peers keep nothing for others. All have so much room for what they read. */
  static async of(count: number, lendNothing: number, cacheBytes = 0): Promise<Planes> {
    const planes = new Planes(await mkdtemp(join(tmpdir(), 'pleach-planes-')), cacheBytes)
    for (let seed = 0; seed < count; seed++) await planes.#open(seed, seed < lendNothing ? 0 : 2 ** 30)
    return planes
  }

  async file(name: string, content: Uint8Array): Promise<string> {
    const path = join(this.folder, name)
    await writeFile(path, content)
    return path
  }

  named(name: PeerName): PlanePeer {
    return this.peers.find((peer) => peer.signer.peer === name)!
  }

  async #open(seed: number, quotaBytes: number): Promise<void> {
    const own = signer(seed)
    const folder = join(this.folder, String(seed))
    await mkdir(folder)
    const ledger = Store.open(join(folder, 'ledger.db'), this.clock, silentLog)
    const [broken, faults]: [string[], Fault[]] = [[], []]
    const relayed = new RelayedBytes()
    let tars = 0
    const machines = new MachineStates(ledger, { signer: own, network })
    const journal: Journal = {
      commit: async (entry) =>
        machines.commit(
          { ...entry, state: entry.state === null ? null : encodeState(entry.state) },
          this.clock.nowMs(),
        ),
    }
    const plane = createData({
      signer: own,
      network,
      host: {
        streams: this.board.streamsOf(own.peer),
        bulletin: this.bulletin.of(own.peer),
        networkOf: () => undefined,
      },
      isPublic: false,
      ledger,
      floors: new SequenceFloors(ledger),
      relayed,
      books: { machines, journal },
      disk: realFiles,
      mill: new LocalMill(),
      dataDir: folder,
      quotaBytes,
      cacheBytes: this.#cacheBytes,
      bandwidth: undefined,
      clock: this.clock,
      random: realRandom,
      log: (level, message, facts) => void this.logged.push({ level, message, facts: facts ?? {} }),
      operatorOf: (peer) => this.operators.get(peer),
      keepers: async () => this.peers.filter(({ lends }) => lends).map((peer) => peer.signer.peer),
      tarPath: () => join(folder, `${tars++}.tar`),
      onSilent: () => {},
      onFault: (_peer, fault) => void faults.push(fault),
      onBroken: (peer, what) => void broken.push(`${peer} ${what}`),
    })
    await plane.serve()
    this.peers.push({ signer: own, plane, relayed, ledger, folder, lends: quotaBytes > 0, broken, faults })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.board.hangUp()
    for (const { plane, ledger } of this.peers) {
      await plane.stop()
      ledger.close()
    }
    await rm(this.folder, { recursive: true, force: true })
  }
}
