/** Strips that are coded over and over, in this thread or another. */
import { kernelPaths, allocateStrips, createStripCoder, StripMemory } from '../../protocols/erasure/index.ts'
import type { KernelPath, SharedStrips } from '../../protocols/erasure/index.ts'
import { realClock } from '../../src/environment.ts'
import { loomHere } from '../../src/storage/workers/loom.ts'

export interface CodecRun {
  readonly k: number
  readonly m: number
  readonly stripBytes: number
  /** 0: encodes. Otherwise makes so many data strips of the others. */
  readonly lost: number
}

/** A thread's share of a memory: as many slots as `slotsOf`, from `firstSlot` on. */
export interface CodecShare {
  readonly run: CodecRun
  readonly shared: SharedStrips
  readonly thread: number
  readonly firstSlot: number
}

/** How long one measurement lasts: long against the 4 ms in which processor time is counted, short for a machine that others use. */
const runForMs = 100

const gigabyte = 1e9

function slotsOf({ k, m, lost }: CodecRun): number {
  return k + m + lost
}

/** Room for several threads, with data in it. */
export function shareStrips(run: CodecRun, threads: number, path: KernelPath = kernelPaths[0]!): CodecShare[] {
  const slots = slotsOf(run)
  const memory = allocateStrips({ slots: threads * slots, stripBytes: run.stripBytes, threads }, path)
  for (let slot = 0; slot < threads * slots; slot++) {
    const strip = memory.strip(slot)
    for (let at = 0; at < strip.byteLength; at++) strip[at] = Math.imul(at + slot, 0x9e3779b1) >>> 13
  }
  return Array.from({ length: threads }, (_, thread) => ({
    run,
    shared: memory.shared,
    thread,
    firstSlot: thread * slots,
  }))
}

/** What codes: a path of the kernel, or programs as a worker of ours has them for what it codes much, and the kernel where it has none. */
export type Codes = KernelPath | 'programs'

/** From the first byte: what is measured is what they do, and not when they come. */
const loom = loomHere(realClock, { afterBytes: 0 })

/** What a worker takes here, once it has coded much. */
export const taken: Codes = loom === undefined ? kernelPaths[0]! : 'programs'

/** Codes the strips of its share once, whenever it is called. */
export function coding(share: CodecShare, codes: Codes = taken): () => void {
  const { k, m, lost, stripBytes } = share.run
  const [path, weaver] = codes === 'programs' ? [kernelPaths[0], loom] : [codes, undefined]
  const coder = createStripCoder(new StripMemory(share.shared, share.thread, path, weaver), k, m)
  const slots = Array.from({ length: slotsOf(share.run) }, (_, index) => share.firstSlot + index)
  if (lost === 0) return () => coder.encode(slots.slice(0, k), slots.slice(k), stripBytes)
  const have = slots.slice(0, k + m).map((slot, index) => (index < lost ? undefined : slot))
  const wanted = Array.from({ length: lost }, (_, index) => index)
  return () => coder.reconstruct(have, wanted, slots.slice(k + m), stripBytes)
}

/**
 * What a speed is measured by. `processor`: seconds in which the processor was this thread's, so that how much of it others take
 * is not measured. `wall`: seconds that go by, for what several threads do together.
 */
export type Seconds = 'processor' | 'wall'

/** GB/s of data that `once` goes through at every call, over at least `runForMs`. */
export function speedOf(dataBytes: number, once: () => void, seconds: Seconds = 'processor'): number {
  const nowMs = seconds === 'wall' ? () => performance.now() : threadMs
  let calls = 0
  const beganMs = nowMs()
  for (;;) {
    once()
    calls++
    const tookMs = nowMs() - beganMs
    if (tookMs >= runForMs) return (calls * dataBytes) / (tookMs / 1000) / gigabyte
  }
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
