/** Work on segments in worker threads. What is small is done here at once: the way to a thread costs more. */
import { stripsIn, type Code, type OpenedSegment, type StripSet } from '../../../protocols/erasure/index.ts'
import { LocalMill } from '../local-mill.ts'
import {
  checkEnough,
  openedOrThrow,
  type Mill,
  type OpenOrder,
  type RebuildOrder,
  type RebuiltStrips,
  type Room,
  type SealedSegment,
  type SegmentOrder,
} from '../mill.ts'
import { KeptStripMemory } from '../strip-memory.ts'
import { apart, memoryOf, type Result, type Task } from './messages.ts'
import { WorkerPool, type PoolDeps, type PoolOptions } from './pool.ts'
import { Rooms, SharedRoom } from './rooms.ts'

export interface WorkerMillOptions extends PoolOptions {
  /** Plaintext of a segment that is sealed and opened here, in bytes. */
  readonly hereBytesMax?: number
  /** What is lent at once, in bytes. */
  readonly lentBytesMax?: number
}

/** At most about a millisecond of work, whatever the code. */
const hereBytesDefault = 64 * 1024

export class WorkerMill implements Mill, AsyncDisposable {
  readonly strips = new KeptStripMemory()
  readonly #here = new LocalMill()
  readonly #hereBytesMax: number
  readonly #rooms: Rooms
  readonly #pool: WorkerPool

  constructor(options: WorkerMillOptions, deps: Omit<PoolDeps, 'onIdle'>) {
    this.#hereBytesMax = options.hereBytesMax ?? hereBytesDefault
    this.#rooms = new Rooms(options.lentBytesMax, () => this.#pool.idleSoon())
    this.#pool = new WorkerPool(options, { ...deps, onIdle: () => this.#clear() })
  }

  /** Threads that there are now. */
  get threads(): number {
    return this.#pool.threads
  }

  /** What is lent now, in bytes. */
  get lentBytes(): number {
    return this.#rooms.lentBytes
  }

  async lend(code: Code, plainBytesMax: number, signal: AbortSignal): Promise<Room> {
    return (plainBytesMax <= this.#hereBytesMax ? this.#here : this.#rooms).lend(code, plainBytesMax, signal)
  }

  async seal(room: Room, order: SegmentOrder, signal: AbortSignal): Promise<SealedSegment> {
    if (!(room instanceof SharedRoom)) return this.#here.seal(room, order, signal)
    const { hashes } = await this.#run({ do: 'seal', order, room: room.shared }, [], signal)
    return { strips: stripsIn(order.code, room.shared, order.plainBytes), hashes }
  }

  async open(set: StripSet, order: OpenOrder, signal: AbortSignal): Promise<OpenedSegment> {
    if (order.plainBytes <= this.#hereBytesMax) return this.#here.open(set, order, signal)
    checkEnough(order.code, set)
    const own = apart(set)
    const { opened } = await this.#run({ do: 'open', order, set: own }, memoryOf(own), signal)
    return openedOrThrow(opened ?? undefined, order)
  }

  async rebuild(set: StripSet, order: RebuildOrder, signal: AbortSignal): Promise<RebuiltStrips> {
    checkEnough(order.code, set)
    // More than k would travel for nothing.
    const used = set.map((strip, shard) => (isAmongFirst(set, shard, order.code.k) ? strip : undefined))
    const bytes = used.reduce((sum, strip) => sum + (strip?.byteLength ?? 0), 0)
    if (bytes <= this.#hereBytesMax) return this.#here.rebuild(used, order, signal)
    const own = apart(used)
    const { strips, hashes } = await this.#run({ do: 'rebuild', order, set: own }, memoryOf(own), signal)
    return { strips, hashes }
  }

  /** Ends the threads. What is under way is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.stop()
    this.#clear()
  }

  #clear(): void {
    this.#rooms.clear()
    this.strips.clear()
  }

  async #run<Kind extends Task['do']>(
    task: Extract<Task, { do: Kind }>,
    handOver: readonly ArrayBuffer[],
    signal: AbortSignal,
  ): Promise<Extract<Result, { did: Kind }>> {
    return (await this.#pool.run(task, handOver, signal)) as Extract<Result, { did: Kind }>
  }
}

/** Whether the strip is one of the first `k` that are there. */
function isAmongFirst(set: StripSet, shard: number, k: number): boolean {
  return set.slice(0, shard).filter((strip) => strip !== undefined).length < k
}
