/** A trading peer as whoever kills it sees it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import type { TradingOrder } from './trading-peer.ts'

/** What one side was told by the other: a receipt (R) or a countersignature (C). */
export interface Told {
  readonly kind: 'R' | 'C'
  readonly lease: string
  readonly sequence: number
  readonly hash: string
}

const program = join(import.meta.dirname, 'trading-peer.ts')
const readyWithinMs = 60_000
const stopWithinMs = 30_000

export class Trader {
  readonly #order: TradingOrder
  #child: ChildProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #isReady = false
  readonly told: Told[] = []
  readonly bad: string[] = []
  #onLine = (): void => {}

  constructor(order: TradingOrder) {
    this.#order = order
  }

  get isUp(): boolean {
    return this.#isReady
  }

  start(): void {
    this.#isReady = false
    const child = spawn(process.execPath, [program, JSON.stringify(this.#order)], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    let rest = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      // What a kill cut off was not said.
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) this.#take(line)
      this.#onLine()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (errors += text))
    this.#ended = once(child, 'close').then(([code, signal]) => {
      this.#isReady = false
      if (code !== 0 && signal !== 'SIGKILL')
        this.bad.push(`it ended with ${String(code ?? signal)}: ${errors.slice(-2_000)}`)
      this.#onLine()
    })
  }

  /** Resolves with false when it has not come so far in time, or has broken off. */
  async until(condition: () => boolean, withinMs = readyWithinMs): Promise<boolean> {
    const giveUpMs = performance.now() + withinMs
    while (!condition()) {
      const leftMs = giveUpMs - performance.now()
      if (leftMs <= 0 || this.#child?.exitCode != null) return false
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onLine = resolve
      const timer = setTimeout(resolve, leftMs)
      await promise
      clearTimeout(timer)
    }
    return true
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    await this.#ended
  }

  /** In good order. */
  async stop(): Promise<void> {
    this.#child?.stdin?.end('stop\n')
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), stopWithinMs)
    await this.#ended
    clearTimeout(timer)
  }

  #take(line: string): void {
    if (line === 'ready') this.#isReady = true
    else if (line.startsWith('bad ')) this.bad.push(line.slice('bad '.length))
    else {
      const [kind, lease = '', sequence, hash = ''] = line.split(' ')
      if (kind === 'R' || kind === 'C') this.told.push({ kind, lease, sequence: Number(sequence), hash })
    }
  }
}
