/** Bare libp2p nodes in processes of their own: one that drinks, and those that pour. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import type { RawOrder } from './raw-peer.ts'

export class RawCrowd implements AsyncDisposable {
  readonly #children: readonly ChildProcess[]
  readonly #addresses: readonly string[]

  private constructor(children: readonly ChildProcess[], addresses: readonly string[]) {
    this.#children = children
    this.#addresses = addresses
  }

  /** So many that pour, and one that drinks. */
  static async of(count: number): Promise<RawCrowd> {
    const program = join(import.meta.dirname, 'raw-peer.ts')
    // In a Node as it comes, whatever the flags of this one.
    const children = Array.from({ length: count + 1 }, () => fork(program, { execArgv: [] }))
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
    drinker.send(order)
    const [{ tookMs }] = (await once(drinker, 'message')) as [{ tookMs: number }]
    return tookMs / 1_000
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      const exit = child.exitCode === null ? once(child, 'exit') : undefined
      child.disconnect()
      await exit
    }
  }
}
