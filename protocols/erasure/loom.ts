/**
 * Programs for coefficients that are used much. Making one takes some milliseconds, and what it gains is a fraction of a nanosecond for
 * a byte; so coefficients get theirs when they have made enough, and what is needed once (most losses are) never does.
 *
 * No module is believed: what it makes of some strips must be what the kernel makes of them, and in less time, or the kernel goes on.
 */
import { equals } from 'uint8arrays'

import type { Coefficients } from './coefficients.ts'
import { allocateStrips, type Woven } from './strip-memory.ts'
import type { Module } from './wasm/web-assembly.ts'
import { wovenModule } from './wasm/woven.ts'
import { xorProgramOf } from './xor-program.ts'

export interface LoomPorts {
  /** Compiles to the best code that there is, at once: one that an engine would make later is not worth its making. May throw. */
  compile(module: Uint8Array): Module
  monotonicMs(): number
}

export interface LoomOptions {
  /** Bytes of strips that coefficients have gone through before they are given a program. */
  readonly afterBytes?: number
}

/** What a program of ten columns and four rows saves of 128 MiB is about what it costs. */
const afterBytesDefault = 128 * 1024 * 1024
/** Coefficients that are known at once: those of a few codes, and of the losses that go with them. */
const knownMax = 8
/** Wider codes have programs that take long to make, and outgrow what a processor keeps of them. */
const columnsMax = 32
const rowsMax = 32
/** Rows of one program: more have more in common, and less room for it. */
const rowsAtOnce = 8
/** What is compared, of every strip: short, so that it stays in the first-level cache. */
const trialBytes = 4096
const trials = 5
/** In a trial: a tenth of a millisecond for most codes, which is long against the grain of a clock. */
const roundsPerTrial = 8
/** It has to be faster by so much: what the two take differs from time to time. */
const worthwhile = 0.9

/**
 * Programs are refused so often at most: what an engine was asked for while it compiled, another thread may have taken back. A wrong one
 * is refused for good.
 */
const triesMax = 3

interface Known {
  /** Since the coefficients came, or a program for them was refused. */
  bytes: number
  tries: number
  woven: readonly Woven[] | undefined
}

export class Loom {
  readonly #ports: LoomPorts
  readonly #afterBytes: number
  readonly #known = new Map<string, Known>()

  constructor(ports: LoomPorts, { afterBytes = afterBytesDefault }: LoomOptions = {}) {
    this.#ports = ports
    this.#afterBytes = afterBytes
  }

  /** Programs that make all rows, when these coefficients have them; `bytes` of strips are about to go through. */
  wovenFor(coefficients: Coefficients, bytes: number): readonly Woven[] | undefined {
    const { columns, rows } = coefficients
    if (columns > columnsMax || rows.length > rowsMax || rows.length === 0) return undefined
    const known = this.#knownOf(coefficients)
    if (known.woven !== undefined || known.tries >= triesMax) return known.woven
    known.bytes += bytes
    if (known.bytes < this.#afterBytes) return undefined
    known.bytes = 0
    known.tries++
    const woven = this.#made(coefficients)
    const verdict = woven === undefined ? 'wrong' : this.#judged(coefficients, woven)
    if (verdict === 'wrong') known.tries = triesMax
    if (verdict === 'better') known.woven = woven
    return known.woven
  }

  #knownOf({ rows }: Coefficients): Known {
    const name = rows.map((row) => row.join()).join(';')
    const known = this.#known.get(name) ?? { bytes: 0, tries: 0, woven: undefined }
    this.#known.delete(name)
    this.#known.set(name, known)
    if (this.#known.size > knownMax) this.#known.delete(this.#known.keys().next().value!)
    return known
  }

  #made(coefficients: Coefficients): readonly Woven[] | undefined {
    const { columns, rows } = coefficients
    try {
      const woven: Woven[] = []
      for (let firstRow = 0; firstRow < rows.length; firstRow += rowsAtOnce) {
        const program = xorProgramOf(rows.slice(firstRow, firstRow + rowsAtOnce), columns)
        woven.push({ firstRow, module: this.#ports.compile(wovenModule(program)) })
      }
      return woven
    } catch {
      // An engine without what the modules need: the kernel goes on, as it does where there is no loom.
      return undefined
    }
  }

  /** Whether the programs make the same bytes as the kernel, and in less time. */
  #judged(coefficients: Coefficients, woven: readonly Woven[]): 'better' | 'slower' | 'wrong' {
    const { columns, rows } = coefficients
    const memory = allocateStrips({ slots: columns + 2 * rows.length, stripBytes: trialBytes, threads: 1 })
    const sources = Array.from({ length: columns }, (_, slot) => slot)
    const byKernel = Array.from(rows.keys(), (row) => columns + row)
    const byProgram = byKernel.map((slot) => slot + rows.length)
    for (const slot of sources) fill(memory.strip(slot), slot)
    const span = { from: 0, to: trialBytes }
    const kernel = (): void => memory.multiply(coefficients, sources, byKernel, trialBytes, span)
    const program = (): void => memory.multiplyWoven(woven, sources, byProgram, span)
    let kernelMs = Infinity
    let programMs = Infinity
    try {
      for (let trial = 0; trial < trials; trial++) {
        kernelMs = Math.min(kernelMs, this.#timed(kernel))
        programMs = Math.min(programMs, this.#timed(program))
      }
    } catch {
      // It can reach nothing but this memory.
      return 'wrong'
    }
    if (!byKernel.every((slot, row) => equals(memory.strip(slot), memory.strip(byProgram[row]!)))) return 'wrong'
    return programMs <= kernelMs * worthwhile ? 'better' : 'slower'
  }

  #timed(run: () => void): number {
    const beganMs = this.#ports.monotonicMs()
    for (let round = 0; round < roundsPerTrial; round++) run()
    return this.#ports.monotonicMs() - beganMs
  }
}

/** Bytes that do not repeat. */
function fill(strip: Uint8Array, seed: number): void {
  let state = (seed + 1) * 0x9e3779b1
  for (const at of strip.keys()) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    strip[at] = state >>> 11
  }
}
