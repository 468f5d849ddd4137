/** Work on segments in worker threads. What is small is done here at once: the way to a thread costs more. */
import { stripsIn, type Code, type OpenedSegment, type StripSet } from '../../../protocols/erasure/index.ts'
import { LocalMill } from '../local-mill.ts'
import {
  checkEnough,
  openedOrThrow,
  type Mill,
  type Room,
  type SealedSegment,
  type SegmentOrder,
} from '../mill.ts'
import { LentRoom, Rooms, roomBytesMax } from '../rooms.ts'
import { apart, memoryOf, type Result, type Task } from './messages.ts'
import { WorkerPool, type PoolDeps, type PoolOptions } from './pool.ts'

/** Plaintext that is sealed and opened here, in bytes: at most about a millisecond, with the widest code. */
const hereBytesMax = 64 * 1024

export class WorkerMill implements Mill, AsyncDisposable {
  readonly #here = new LocalMill()
  readonly #rooms = new Rooms(roomBytesMax, (bytes) => new SharedArrayBuffer(bytes))
  readonly #pool: WorkerPool

  constructor(options: PoolOptions, deps: Omit<PoolDeps, 'onIdle'>) {
    this.#pool = new WorkerPool(options, { ...deps, onIdle: () => this.#rooms.clear() })
  }

  /** Threads that there are now. */
  get threads(): number {
    return this.#pool.threads
  }

  async lend(code: Code, plainBytesMax: number, signal: AbortSignal): Promise<Room> {
    return (plainBytesMax <= hereBytesMax ? this.#here : this.#rooms).lend(code, plainBytesMax, signal)
  }

  async seal(room: Room, order: SegmentOrder, signal: AbortSignal): Promise<SealedSegment> {
    const { bytes, memory } = room as LentRoom<ArrayBufferLike>
    if (memory instanceof ArrayBuffer) return this.#here.seal(room as LentRoom<ArrayBuffer>, order, signal)
    const { hashes } = await this.#run({ do: 'seal', order, room: memory as SharedArrayBuffer }, [], signal)
    return { strips: stripsIn(order.code, bytes, order.plainBytes), hashes }
  }

  async open(set: StripSet, order: SegmentOrder, signal: AbortSignal): Promise<OpenedSegment> {
    if (order.plainBytes <= hereBytesMax) return this.#here.open(set, order, signal)
    checkEnough(order.code, set)
    const own = apart(set)
    const { opened } = await this.#run({ do: 'open', order, set: own }, memoryOf(own), signal)
    return openedOrThrow(opened ?? undefined, order)
  }

  /** Ends the threads. What is under way is rejected. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.stop()
    this.#rooms.clear()
  }

  async #run<Kind extends Task['do']>(
    task: Extract<Task, { do: Kind }>,
    handOver: readonly ArrayBuffer[],
    signal: AbortSignal,
  ): Promise<Extract<Result, { did: Kind }>> {
    return (await this.#pool.run(task, handOver, signal)) as Extract<Result, { did: Kind }>
  }
}
