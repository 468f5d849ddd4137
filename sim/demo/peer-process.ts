/** A peer as an operating-system process of its own, started as a person would: `pleach up …`. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'

import { createControlClient, type ControlClient } from '../../src/control/client.ts'

const main = join(import.meta.dirname, '../../src/main.ts')
const readyWithinMs = 30_000
const stopWithinMs = 12_000

interface Ready {
  readonly peer: string
  readonly petname: string
  readonly addresses: readonly string[]
  readonly socket: string
}

export class PeerProcess {
  readonly profile: string
  readonly ready: Ready
  readonly control: ControlClient
  readonly #child: ChildProcess

  private constructor(profile: string, ready: Ready, child: ChildProcess, signal: AbortSignal) {
    this.profile = profile
    this.ready = ready
    this.#child = child
    this.control = createControlClient(ready.socket, signal)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Resolves once the peer says that it is ready. Rejects, with the end of its log, when it ends or is not ready in time. */
  static async start(
    home: string,
    profile: string,
    args: readonly string[],
    signal: AbortSignal,
  ): Promise<PeerProcess> {
    const child = spawn(
      process.execPath,
      [main, 'up', '--profile', profile, '--listen', '/ip4/127.0.0.1/tcp/0', '--network', 'demo', '--json', ...args],
      {
        env: environmentOf(home),
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    child.stderr.pipe(createWriteStream(join(home, `${profile}.log`)))
    const tail: string[] = []
    child.stderr.on('data', (chunk: Buffer) => {
      tail.push(chunk.toString())
      if (tail.length > 20) tail.shift()
    })
    try {
      const line = await firstLine(child, signal)
      const ready = JSON.parse(line) as Ready
      // With --json an error is a line, too.
      if (ready.socket === undefined) throw new Error(line)
      return new PeerProcess(profile, ready, child, signal)
    } catch (error) {
      child.kill('SIGKILL')
      throw new Error(`peer ${profile} did not become ready: ${(error as Error).message}\n${tail.join('')}`, {
        cause: error,
      })
    }
  }

  /** As if the machine lost its power: nothing is said, nothing is flushed. Resolves once the process is gone. */
  async kill(): Promise<void> {
    const gone = this.#gone()
    this.#child.kill('SIGKILL')
    await gone
  }

  /** Asks it to stop; kills it when it does not. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = this.#gone()
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), stopWithinMs)
    await gone
    clearTimeout(timer)
  }

  async #gone(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    await once(this.#child, 'exit')
  }
}

/** Nothing of this machine's own peer is touched: home, configuration and data are in the demo's folder. */
export function environmentOf(home: string): NodeJS.ProcessEnv {
  const { PATH, LANG, TMPDIR } = process.env
  return {
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    ...(PATH && { PATH }),
    ...(LANG && { LANG }),
    ...(TMPDIR && { TMPDIR }),
  }
}

async function firstLine(
  child: ChildProcess & { readonly stdout: NodeJS.ReadableStream },
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const settle = (act: () => void): void => {
      clearTimeout(timer)
      act()
    }
    const timer = setTimeout(() => reject(new Error(`not within ${readyWithinMs} ms`)), readyWithinMs)
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      const end = text.indexOf('\n')
      if (end !== -1) settle(() => resolve(text.slice(0, end)))
    })
    child.once('exit', (code) => settle(() => reject(new Error(`it ended with code ${code}`))))
    signal.addEventListener('abort', () => settle(() => reject(signal.reason as Error)), { once: true })
  })
}
