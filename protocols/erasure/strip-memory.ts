/**
 * Memory in which strips lie where the kernel works on them: copying them in and out would cost as much as coding them.
 *
 * It has slots for strips of one length at most, and is shared: what `shared` gives may be posted to another thread, and
 * `new StripMemory(shared, thread)` there is the same memory. Several threads may code at once, each with a number of its own
 * below `threads`, so long as none writes what another reads or writes. Who does when, they tell each other by messages,
 * which also make sure that what one wrote the other sees.
 *
 *     const memory = allocateStrips({ slots: 14, stripBytes: 1024 * 1024, threads: 1 })
 *     const coder = createStripCoder(memory, 10, 4)
 *     memory.strip(0).set(…)                                    slots 0 … 9 hold data
 *     coder.encode([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [10, 11, 12, 13], stripBytes)
 *     hash('sha256', memory.strip(10, stripBytes))              views work for node:crypto and for files
 */
import { tableSetBytesMax, type Coefficients } from './coefficients.ts'
import { shardsMax } from './matrix.ts'
import { kernelPaths, moduleOf, type KernelPath, type Multiply } from './path.ts'
import { allocateShared, wasm, type Module, type SharedMemory } from './wasm/web-assembly.ts'
import { wovenPolynomial, wovenStepBytes, type WovenMultiply } from './wasm/woven.ts'

export interface StripShape {
  /** Strips that there is room for. */
  readonly slots: number
  /** Of the longest strip. */
  readonly stripBytes: number
  /** Threads that may code at once. */
  readonly threads: number
}

/** What a thread needs to know of the memory: may be posted. */
export interface SharedStrips {
  readonly shape: StripShape
  readonly memory: SharedMemory | SharedArrayBuffer
}

/** A part of every strip: what one of several threads does of a segment. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** A program that makes rows, from this one on (`wasm/woven.ts`). */
export interface Woven {
  readonly firstRow: number
  readonly module: Module
}

/** Who has programs for some coefficients (`loom.ts`). */
export interface Weaver {
  wovenFor(coefficients: Coefficients, bytes: number): readonly Woven[] | undefined
}

/** What all threads split a strip at: a line of the cache, and a multiple of the kernel's step. */
export const stripAlignBytes = 64
/** The kernel's step, and that of programs: a strip has room up to the next multiple. */
const stepBytes = wovenStepBytes
/** Programs that are ready to be run on one memory: those of a few coefficients. */
const instancesMax = 32
/** A thread's own room: tables, and the addresses of as many columns and rows as there can be. */
const addressBytes = 4 * 2 * shardsMax
const controlBytes = tableSetBytesMax + addressBytes
/** Of every strip at a time, so that strips that are read once for every four rows stay in the second-level cache. */
const blockBytes = 8192
/** What the kernel takes the low digits of bytes with. */
const lowDigits = 0x0f0f0f0f
/** 32-bit addresses. */
const memoryBytesMax = 2 ** 32

/** With a weaver, coefficients that are used much are multiplied by programs of their own. */
export function allocateStrips(shape: StripShape, path: KernelPath = kernelPaths[0]!, weaver?: Weaver): StripMemory {
  const memory = allocateShared(bytesOf(shape, memoryBytesMax))
  return new StripMemory({ shape, memory }, 0, path, weaver)
}

export class StripMemory {
  readonly shared: SharedStrips
  readonly #bytes: Uint8Array
  /** Where this thread's control area is. */
  readonly #control: number
  readonly #addresses: Uint32Array
  readonly #multiply: Multiply | undefined
  readonly #weaver: Weaver | undefined
  readonly #woven = new Map<Module, WovenMultiply>()

  constructor(shared: SharedStrips, thread: number, path: KernelPath = kernelPaths[0]!, weaver?: Weaver) {
    const { shape, memory } = shared
    const buffer = 'buffer' in memory ? memory.buffer : memory
    bytesOf(shape, buffer.byteLength)
    if (!(Number.isInteger(thread) && thread >= 0 && thread < shape.threads))
      throw new RangeError(`there is no thread ${thread}`)
    this.shared = shared
    this.#bytes = new Uint8Array(buffer)
    this.#control = thread * controlBytes
    this.#addresses = new Uint32Array(buffer, this.#control + tableSetBytesMax, addressBytes / 4)
    this.#multiply = path === 'scalar' ? undefined : instanceOf<Multiply>(moduleOf(path), memory)
    this.#weaver = weaver
  }

  /** A view of a strip, of its first `bytes`. */
  strip(slot: number, bytes: number = this.shared.shape.stripBytes): Uint8Array {
    if (!(bytes >= 0 && bytes <= this.shared.shape.stripBytes)) throw new RangeError(`no strip has ${bytes} bytes`)
    const at = this.#addressOf(slot)
    return this.#bytes.subarray(at, at + bytes)
  }

  /**
   * Fills bytes `from` … `to` of each target with its row times the sources, which are `bytes` long. `from` is a multiple of
   * `stripAlignBytes`; so is `to`, or it is the end of the strips, and then the rest of the kernel's step is overwritten.
   */
  multiply(
    coefficients: Coefficients,
    sources: readonly number[],
    targets: readonly number[],
    bytes: number,
    { from, to }: Span,
  ): void {
    if (sources.length !== coefficients.columns || targets.length !== coefficients.rows.length)
      throw new RangeError(`${sources.length} strips instead of ${coefficients.columns}, or another number of targets`)
    const slots = [...sources, ...targets]
    if (new Set(slots).size !== slots.length) throw new RangeError('a strip twice, or as source and target')
    for (const slot of slots) this.#addressOf(slot)
    if (!(bytes >= 0 && bytes <= this.shared.shape.stripBytes)) throw new RangeError(`no strip has ${bytes} bytes`)
    const isSpan = from >= 0 && from <= to && from % stripAlignBytes === 0
    if (!isSpan || !(to === bytes || (to < bytes && to % stripAlignBytes === 0)))
      throw new RangeError(`bytes ${from} to ${to} are no span of ${bytes}`)
    if (this.#multiply === undefined) {
      const view = (slot: number): Uint8Array => this.strip(slot, to).subarray(from)
      return coefficients.scalar.apply(sources.map(view), targets.map(view))
    }
    const woven = this.#weaver?.wovenFor(coefficients, (to - from) * coefficients.columns)
    if (woven !== undefined) return this.multiplyWoven(woven, sources, targets, { from, to })
    const end = endOf(to)
    const { sourcesAt, targetsAt } = this.#listed(sources, [])
    for (const { firstRow, rows, tables } of coefficients.tableSets) {
      // Every time: another object of this thread may have had tables there since.
      this.#bytes.set(tables, this.#control)
      for (let row = 0; row < rows; row++) {
        this.#addresses[shardsMax + row] = this.#addressOf(targets[firstRow + row]!)
      }
      for (let at = from; at < end; at += blockBytes) {
        const until = Math.min(end, at + blockBytes)
        this.#multiply(this.#control, sourcesAt, coefficients.columns, targetsAt, rows, at, until, lowDigits)
      }
    }
  }

  /** As `multiply` does, by the programs of the coefficients. */
  multiplyWoven(
    woven: readonly Woven[],
    sources: readonly number[],
    targets: readonly number[],
    { from, to }: Span,
  ): void {
    const { sourcesAt, targetsAt } = this.#listed(sources, targets)
    const end = endOf(to)
    for (let at = from; at < end; at += blockBytes) {
      const until = Math.min(end, at + blockBytes)
      for (const { firstRow, module } of woven) {
        this.#instanceOf(module)(sourcesAt, targetsAt + 4 * firstRow, at, until, wovenPolynomial)
      }
    }
  }

  /** Writes down where strips are, for the machine code; gives where that is written. */
  #listed(sources: readonly number[], targets: readonly number[]): { sourcesAt: number; targetsAt: number } {
    for (const [column, slot] of sources.entries()) this.#addresses[column] = this.#addressOf(slot)
    for (const [row, slot] of targets.entries()) this.#addresses[shardsMax + row] = this.#addressOf(slot)
    const sourcesAt = this.#addresses.byteOffset
    return { sourcesAt, targetsAt: sourcesAt + 4 * shardsMax }
  }

  #instanceOf(module: Module): WovenMultiply {
    const known = this.#woven.get(module)
    if (known !== undefined) return known
    // Of coefficients that nobody uses any more.
    if (this.#woven.size >= instancesMax) this.#woven.clear()
    const instance = instanceOf<WovenMultiply>(module, this.shared.memory)
    this.#woven.set(module, instance)
    return instance
  }

  #addressOf(slot: number): number {
    const { shape } = this.shared
    if (!(Number.isInteger(slot) && slot >= 0 && slot < shape.slots)) throw new RangeError(`there is no slot ${slot}`)
    return shape.threads * controlBytes + slot * strideOf(shape)
  }
}

/** Throws RangeError when they are more than there are. */
function bytesOf(shape: StripShape, bytesMax: number): number {
  const bytes = shape.threads * controlBytes + shape.slots * strideOf(shape)
  const isLawful = Object.values(shape).every((count) => Number.isSafeInteger(count) && count >= 0)
  if (isLawful && bytes <= bytesMax) return bytes
  throw new RangeError(`${JSON.stringify(shape)} is no shape of at most ${bytesMax} bytes`)
}

/**
 * From strip to strip. Not a power of two, as strips are: addresses that are a multiple of one apart compete for the
 * same few lines of a cache.
 */
function strideOf({ stripBytes }: StripShape): number {
  return Math.ceil(stripBytes / stripAlignBytes) * stripAlignBytes + stripAlignBytes
}

function instanceOf<Multiplication>(module: Module, memory: SharedMemory | SharedArrayBuffer): Multiplication {
  const { exports } = new wasm!.Instance(module, { env: { memory } })
  return (exports as { readonly multiply: Multiplication }).multiply
}

/** Of the step in which a span ends, for the kernel and for programs alike. */
function endOf(to: number): number {
  return Math.ceil(to / stepBytes) * stepBytes
}
