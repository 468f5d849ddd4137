/** How far puts, gets and repairs have come that somebody watches, and transfers whose bytes are counted or held back. */
import type { ShardSource, TransferService } from '../../protocols/transfer/index.ts'
import { ControlError, type TransferView } from '../control/api.ts'
import type { Clock, Files } from '../environment.ts'

/** Watched at once: each is a call of the owner that has not ended. */
const watchedMax = 64

export type Phase = TransferView['phase']

/** One call that is watched, or nobody's. */
export interface Progress {
  /** A phase begins, of so many bytes; 0: nobody knows. */
  begin(phase: Phase, totalBytes: number): void
  add(bytes: number): void
}

export const unwatched: Progress = { begin: () => {}, add: () => {} }

export class Transfers {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #running = new Map<string, { phase: Phase; doneBytes: number; totalBytes: number; beganMs: number }>()

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock
  }

  /** Runs a call that can be asked for under a name that its caller chose. */
  async watch<Result>(name: string | undefined, run: (progress: Progress) => Promise<Result>): Promise<Result> {
    if (name === undefined || this.#running.size >= watchedMax || this.#running.has(name)) return run(unwatched)
    const state = { phase: 'looking' as Phase, doneBytes: 0, totalBytes: 0, beganMs: this.#clock.monotonicMs() }
    this.#running.set(name, state)
    try {
      return await run({
        begin: (phase, totalBytes) => {
          Object.assign(state, { phase, totalBytes, doneBytes: 0, beganMs: this.#clock.monotonicMs() })
        },
        add: (bytes) => (state.doneBytes += bytes),
      })
    } finally {
      this.#running.delete(name)
    }
  }

  view(name: string): TransferView {
    const state = this.#running.get(name)
    if (state !== undefined) {
      const { phase, doneBytes, totalBytes, beganMs } = state
      return { v: 1, phase, doneBytes, totalBytes, phaseMs: this.#clock.monotonicMs() - beganMs }
    }
    throw new ControlError({
      code: 'NOT_FOUND',
      what: 'no such transfer is under way',
      why: 'it has ended, or has not begun',
      cure: 'pleach ls',
      exit: 2,
    })
  }
}

/** The same disk, with what is read of files counted. */
export function countedReads(disk: Pick<Files, 'open'>, progress: Progress): Pick<Files, 'open'> {
  return {
    open: async (path) => {
      const file = await disk.open(path)
      return {
        read: async (bytes, at) => {
          const count = await file.read(bytes, at)
          progress.add(count)
          return count
        },
        write: async (bytes, at) => file.write(bytes, at),
        datasync: async () => file.datasync(),
        look: async () => file.look(),
        close: async () => file.close(),
      }
    },
  }
}

/** The same transfers, with the bytes of shards that come and go counted; of one that is taken, those too that need not be sent. */
export function countedTransfer(transfer: TransferService, progress: Progress): TransferService {
  return {
    ...transfer,
    put: async (peer, root, source, keepUntilMs, signal) => {
      let sent = 0
      const counted: ShardSource = {
        ...source,
        leaf: async (leaf) => {
          const found = await source.leaf(leaf)
          sent += found.bytes.byteLength
          progress.add(found.bytes.byteLength)
          return found
        },
      }
      const untilMs = await transfer.put(peer, root, counted, keepUntilMs, signal)
      progress.add(source.shardBytes - sent)
      return untilMs
    },
    get: async (peer, root, shardBytes, leaves, onLeaf, signal) =>
      transfer.get(
        peer,
        root,
        shardBytes,
        leaves,
        async (leaf, bytes, hash) => {
          progress.add(bytes.byteLength)
          return onLeaf(leaf, bytes, hash)
        },
        signal,
      ),
  }
}

/** The same transfers, all together at most so fast. What is asked of keepers follows the pace at which it is taken. */
export function pacedTransfer(
  transfer: TransferService,
  clock: Pick<Clock, 'monotonicMs' | 'sleep'>,
  bytesPerSecond: number,
): TransferService {
  let freeAtMs = 0
  const pace = async (bytes: number, signal: AbortSignal): Promise<void> => {
    const nowMs = clock.monotonicMs()
    freeAtMs = Math.max(freeAtMs, nowMs) + (bytes / bytesPerSecond) * 1_000
    if (freeAtMs > nowMs) await clock.sleep(freeAtMs - nowMs, signal)
  }
  return {
    ...transfer,
    put: async (peer, root, source, keepUntilMs, signal) => {
      const paced: ShardSource = {
        ...source,
        leaf: async (leaf) => {
          const found = await source.leaf(leaf)
          await pace(found.bytes.byteLength, signal)
          return found
        },
      }
      return transfer.put(peer, root, paced, keepUntilMs, signal)
    },
    get: async (peer, root, shardBytes, leaves, onLeaf, signal) =>
      transfer.get(
        peer,
        root,
        shardBytes,
        leaves,
        async (leaf, bytes, hash) => {
          await pace(bytes.byteLength, signal)
          return onLeaf(leaf, bytes, hash)
        },
        signal,
      ),
  }
}
