/** The command line as a child process, with a home of its own, against a control server in this process. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { directoriesOf } from '../../src/config/directories.ts'
import type { PeerControl } from '../../src/control/api.ts'
import { serveControl, type ControlServer } from '../../src/control/server.ts'
import { realClock, silentLog } from '../../src/environment.ts'

const program = join(import.meta.dirname, '..', '..', 'src', 'main.ts')

export interface Result {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly bytes: Buffer
  readonly out: string
  readonly err: string
}

export interface Running {
  readonly child: ChildProcess
  readonly result: Promise<Result>
  /** Resolves once stderr and stdout together hold what fits. */
  says(pattern: RegExp): Promise<void>
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly input?: string | Buffer
  /** Arguments of Node itself. */
  readonly node?: readonly string[]
  readonly cwd?: string
}

const saysWithinMs = 15_000

export class Home {
  readonly path = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-cli-'))
  readonly env: Readonly<Record<string, string>>

  constructor() {
    mkdirSync(join(this.path, 'run'), { mode: 0o700 })
    this.env = {
      PATH: process.env['PATH'] ?? '',
      HOME: this.path,
      XDG_CONFIG_HOME: join(this.path, 'config'),
      XDG_DATA_HOME: join(this.path, 'data'),
      XDG_RUNTIME_DIR: join(this.path, 'run'),
      XDG_CACHE_HOME: join(this.path, 'cache'),
      // Of the first file too, which a command cannot arrange for itself; it is most of what a short one takes.
      NODE_COMPILE_CACHE: join(this.path, 'cache', 'node'),
      TMPDIR: join(this.path, 'run'),
      NO_COLOR: '1',
    }
  }

  directories(profile = 'default') {
    return directoriesOf(this.env, profile, join(this.path, 'run'))
  }

  async serve(control: PeerControl, stop: () => void = () => {}): Promise<ControlServer> {
    const house = { control, isReady: () => true, stop }
    return serveControl(this.directories().socket, house, { clock: realClock, log: silentLog })
  }

  start(args: readonly string[], { env = {}, input, node = [], cwd = this.path }: RunOptions = {}): Running {
    const child = spawn(process.execPath, [...node, program, ...args], {
      cwd,
      env: { ...this.env, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const out: Buffer[] = []
    const err: Buffer[] = []
    const listeners = new Set<() => void>()
    const collect = (into: Buffer[]) => (chunk: Buffer) => {
      into.push(chunk)
      for (const listener of listeners) listener()
    }
    child.stdout.on('data', collect(out))
    child.stderr.on('data', collect(err))
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    const result = new Promise<Result>((resolve) => {
      child.once('close', (code) => {
        const bytes = Buffer.concat(out)
        resolve({ code, bytes, out: bytes.toString(), err: Buffer.concat(err).toString() })
      })
    })
    const says = async (pattern: RegExp): Promise<void> => {
      const said = (): string => Buffer.concat([...err, ...out]).toString()
      const heard = Promise.withResolvers<void>()
      const listener = (): void => {
        if (pattern.test(said())) heard.resolve()
      }
      listeners.add(listener)
      listener()
      const tooLate = setTimeout(() => heard.reject(new Error(`not said: ${String(pattern)}\n${said()}`)), saysWithinMs)
      void result.then(() => heard.reject(new Error(`ended without saying ${String(pattern)}\n${said()}`)))
      try {
        await heard.promise
      } finally {
        clearTimeout(tooLate)
        listeners.delete(listener)
      }
    }
    return { child, result, says }
  }

  async run(args: readonly string[], options?: RunOptions): Promise<Result> {
    return this.start(args, options).result
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** The last line of stdout as JSON. */
export function lastJson({ out }: Result): Record<string, unknown> {
  return JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Record<string, unknown>
}
