/** Bare libp2p nodes in processes of their own: one that drinks, and those that pour. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'

import { ask, processorMsOf } from './ask.ts'
import type { RawOrder } from './raw-peer.ts'

export interface Drunk {
  readonly seconds: number
  /** Nanoseconds of a processor for a byte. */
  readonly drinker: number
  readonly pourers: number
}

export class RawCrowd implements AsyncDisposable {
  readonly #children: readonly ChildProcess[]
  readonly #addresses: readonly string[]

  private constructor(children: readonly ChildProcess[], addresses: readonly string[]) {
    this.#children = children
    this.#addresses = addresses
  }

  /** So many that pour, and one that drinks: in a Node `as it comes`, whatever the flags of this one, or with those of a peer. */
  static async of(count: number, node: 'as it comes' | 'as a peer'): Promise<RawCrowd> {
    const program = join(import.meta.dirname, 'raw-peer.ts')
    const [args, execArgv] = node === 'as a peer' ? [['bulk'], process.execArgv] : [[], []]
    const children = Array.from({ length: count + 1 }, () => fork(program, args, { execArgv }))
    const said = await Promise.all(children.map(async (child) => once(child, 'message')))
    return new RawCrowd(
      children,
      (said as [{ ready: string }][]).map(([{ ready }]) => ready),
    )
  }

  /** How many seconds it takes to drink so many bytes, in equal parts from the first so many. */
  async drink(count: number, bytes: number): Promise<number> {
    const order: RawOrder = { from: this.#addresses.slice(1, count + 1), bytes: Math.ceil(bytes / count) }
    const [drinker] = this.#children as [ChildProcess]
    return (await ask<{ tookMs: number }>(drinker, order)).tookMs / 1_000
  }

  /** The same, and what it took of the processors. */
  async drinkCounted(count: number, bytes: number): Promise<Drunk> {
    const before = await this.#processorMs(count)
    const seconds = await this.drink(count, bytes)
    const after = await this.#processorMs(count)
    const nsPerByte = (ms: number): number => (ms * 1e6) / bytes
    return {
      seconds,
      drinker: nsPerByte(after.drinker - before.drinker),
      pourers: nsPerByte(after.pourers - before.pourers),
    }
  }

  /** Since they began, the one that drinks and the first so many that pour. */
  async #processorMs(count: number): Promise<{ readonly drinker: number; readonly pourers: number }> {
    const [drinker, ...pouring] = this.#children as [ChildProcess, ...ChildProcess[]]
    return { drinker: await processorMsOf([drinker]), pourers: await processorMsOf(pouring.slice(0, count)) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      const exit = child.exitCode === null ? once(child, 'exit') : undefined
      child.disconnect()
      await exit
    }
  }
}
