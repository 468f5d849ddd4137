/** A peer of the storage world: its lives, its disk, and what it promised and said of others. */
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import { SeededRandom } from '../random.ts'
import { ModelDisk } from './files.ts'
import type { KeeperVice } from './keeper-vices.ts'
import { LifeClock } from './life.ts'
import { modelSigner } from './signer.ts'
import { ModelStorage } from './storage.ts'
import type { StorageWorld } from './storage-world.ts'

const names: PeerName[] = []

/** Names do not depend on the seed. */
function nameOf(number: number): PeerName {
  for (let next = names.length; next <= number; next++) names.push(modelSigner(next).peer)
  return names[number]!
}

export class StoragePeer {
  readonly number: number
  readonly name: PeerName
  readonly vice: KeeperVice | null
  readonly disk: ModelDisk
  readonly storage: ModelStorage
  readonly blamed: { readonly peer: PeerName; readonly fault: Fault }[] = []
  /** What it said is durable here, and until when. */
  readonly promised = new Map<string, number>()
  /** Shards of which a bit was flipped: nobody can be held to a promise about them. */
  readonly rotted = new Set<string>()
  /** Who has not got what it told this peer that it keeps. */
  readonly broken: PeerName[] = []
  /** It never comes back. */
  isGone = false
  /** When something last happened to its disk that it is not to blame for. */
  struckMs = -Infinity
  /** Most that it kept for others. */
  keptBytesMax = 0
  life: LifeClock
  /** The same, by whom it was said to. */
  readonly #promises = new Map<string, Map<PeerName, number>>()
  readonly #world: StorageWorld

  constructor(world: StorageWorld, number: number, vice: KeeperVice | null, skewMs: number) {
    this.#world = world
    this.number = number
    this.name = nameOf(number)
    this.vice = vice
    this.disk = new ModelDisk(SeededRandom.of(world.seed, 'disk', number))
    this.storage = new ModelStorage({
      self: this.name,
      disk: this.disk,
      streams: world.streams,
      random: SeededRandom.of(world.seed, 'peer', number),
      options: {
        quotaBytes: world.scenario.quotaBytes,
        ownerBytesMax: world.scenario.ownerBytesMax,
        termMsMax: world.scenario.termMsMax,
      },
      vice,
      log: (level, message, facts) => {
        if (level === 'debug' || world.scenario.care === null) return
        const { error } = facts ?? {}
        world.note(
          number,
          error instanceof Error ? `${message}: ${error.message}` : `${message} ${JSON.stringify(facts)}`,
        )
      },
      onFault: (peer, fault) => {
        this.blamed.push({ peer, fault })
        world.note(number, `blames ${world.numberOf(peer)} ${fault.code}`)
      },
      onStored: (root, to, keepUntilMs) => {
        const promises = this.#promises.get(root) ?? new Map<PeerName, number>()
        this.#promises.set(root, promises)
        const beforeMs = promises.get(to) ?? 0
        promises.set(to, keepUntilMs === 0 ? 0 : Math.max(keepUntilMs, beforeMs))
        this.promised.set(root, Math.max(...promises.values()))
        world.note(number, `${keepUntilMs === 0 ? 'let go' : 'stored'} ${root.slice(0, 8)}`)
        return beforeMs
      },
      onKept: (bytes, added) => {
        this.keptBytesMax = Math.max(this.keptBytesMax, bytes)
        if (added?.owner === this.name) world.watch.onMade(this, added.root)
      },
      ...(world.bulletin === undefined || world.scenario.care === null
        ? {}
        : {
            caring: {
              signer: modelSigner(number),
              bulletin: world.bulletin,
              pace: world.scenario.care.pace,
              keepers: () => world.peers.flatMap(({ name }) => (name === this.name ? [] : [name])),
              onAudits: (entries) => world.watch.onAudits(this, entries),
              onBroken: (peer) => void this.broken.push(peer),
            },
          }),
    })
    this.life = new LifeClock(world.clock, skewMs)
    this.#boot()
  }

  get isUp(): boolean {
    return !this.life.isOver
  }

  crash(how: 'process' | 'power'): void {
    if (!this.isUp) return
    this.life.isOver = true
    this.storage.crash(how)
    this.#world.note(this.number, `crash ${how}`)
  }

  restart(): void {
    if (this.isUp || this.isGone) return
    this.life = new LifeClock(this.#world.clock, this.life.skewMs)
    this.#world.note(this.number, 'restart')
    this.#boot()
  }

  /** Its disk is another, on which there is nothing; nobody can be held to what was on the old one. */
  wipe(): void {
    this.crash('power')
    this.disk.wipe()
    this.storage.rows.clear()
    this.storage.objectRows.clear()
    this.promised.clear()
    this.#promises.clear()
    this.rotted.clear()
    this.struckMs = this.#world.elapsedMs
    this.#world.note(this.number, 'another disk')
    this.restart()
  }

  /** A full disk at the start is a start that fails: as a supervisor would, it is tried again. */
  #boot(): void {
    const { life } = this
    this.storage.boot(life).then(
      () => this.#world.onBoot(this),
      (error: unknown) => {
        this.#world.note(this.number, `start failed ${String(error)}`)
        this.crash('process')
        this.#world.clock.after(bootAgainMs, () => this.restart())
      },
    )
  }
}

const bootAgainMs = 5_000
