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
  /** Most that it kept for others. */
  keptBytesMax = 0
  life: LifeClock
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
        termMsMax: 24 * 60 * 60_000,
      },
      vice,
      onFault: (peer, fault) => {
        this.blamed.push({ peer, fault })
        world.note(number, `blames ${world.numberOf(peer)} ${fault.code}`)
      },
      onStored: (root, keepUntilMs) => {
        this.promised.set(root, Math.max(keepUntilMs, this.promised.get(root) ?? 0))
        world.note(number, `stored ${root.slice(0, 8)}`)
      },
      onTotal: (bytes) => (this.keptBytesMax = Math.max(this.keptBytesMax, bytes)),
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
    if (this.isUp) return
    this.life = new LifeClock(this.#world.clock, this.life.skewMs)
    this.#world.note(this.number, 'restart')
    this.#boot()
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
