/**
 * TLS beside Noise, as our hosts have them, and beside libp2p's own TLS, each between two processes over TCP of this machine: how fast a bare
 * stream is, what its bytes cost both ends together, and what a new connection takes.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'

import type { Part } from '../bench.ts'
import { pair } from '../paired.ts'
import { pairedRow, valueRow } from '../report.ts'
import type { Usage } from './link-peer.ts'
import { connectRaw, drinkRaw, links as encrypters, rawNode, type LinkName } from './raw-stream.ts'

const names = ['noise', 'tls', 'libp2pTls'] as const satisfies readonly LinkName[]
const streamBytes = 128 * 1024 * 1024
/** One after the other, each closed before the next. */
const handshakes = 50
/** At the same time, all from one process. */
const connections = 200

interface Figures {
  /** MB/s. */
  readonly rate: number
  /** Seconds of processors for 1 GB, both ends. */
  readonly cpuOfGb: number
  /** Milliseconds until a connection is there. */
  readonly setUpMs: number
  /** Milliseconds of processors for a connection, both ends, with its end. */
  readonly setUpCpuMs: number
  /** KiB that one connection more holds at the listening end. */
  readonly heldKib: number
}

export const links: Part = {
  name: 'links',
  about:
    "TLS beside Noise and beside libp2p's own TLS: the rate of a bare stream, what it costs, what a new connection takes",
  async measure({ rounds, say, signal }) {
    const figures: Record<LinkName, Figures[]> = { noise: [], tls: [], libp2pTls: [] }
    for (let round = 0; round < rounds; round++) {
      say(`round ${round + 1} of ${rounds}`)
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        signal.throwIfAborted()
        figures[name].push(await measureOne(name))
      }
    }
    const rows = (what: string, unit: string, of: (figures: Figures) => number) => [
      pairedRow(`tls: ${what}`, unit, 'noise', pair(figures.tls.map(of), figures.noise.map(of))),
      pairedRow(`tls: ${what}`, unit, "libp2p's tls", pair(figures.tls.map(of), figures.libp2pTls.map(of))),
    ]
    return [
      ...rows('bare stream', 'MB/s', ({ rate }) => rate),
      ...rows('processor, both ends', 's/GB', ({ cpuOfGb }) => cpuOfGb),
      ...rows('set-up', 'ms', ({ setUpMs }) => setUpMs),
      ...rows('processor of a set-up, both ends', 'ms', ({ setUpCpuMs }) => setUpCpuMs),
      // A small difference of two large figures: a ratio of two such would be chance.
      ...names.map((name) =>
        valueRow(
          `${name}: memory of a connection, one end`,
          'KiB',
          figures[name].map(({ heldKib }) => heldKib),
        ),
      ),
    ]
  },
}

/** With two processes' ends that are new, and warm: memory that was used before would be used again. */
async function measureOne(name: LinkName): Promise<Figures> {
  await using far = await FarEnd.of(name)
  const near = await rawNode([], [encrypters[name]()])
  try {
    await drinkRaw(near, far.address, streamBytes / 4)
    const stream = await far.cost(async () => drinkRaw(near, far.address, streamBytes))
    await connectInTurn(near, far.address, handshakes / 2)
    const setUps = await far.cost(async () => connectInTurn(near, far.address, handshakes))
    const before = await far.usage()
    for (let made = 0; made < connections; made++) await connectRaw(near, far.address)
    const after = await far.usage()
    const bytesOfGb = 1e9
    return {
      rate: streamBytes / 1e6 / (stream.tookMs / 1_000),
      cpuOfGb: (stream.cpuMs / 1_000) * (bytesOfGb / streamBytes),
      setUpMs: setUps.tookMs / handshakes,
      setUpCpuMs: setUps.cpuMs / handshakes,
      heldKib: (after.residentBytes - before.residentBytes) / connections / 1024,
    }
  } finally {
    await near.stop()
  }
}

async function connectInTurn(near: Parameters<typeof connectRaw>[0], address: string, times: number): Promise<void> {
  for (let made = 0; made < times; made++) {
    const connection = await connectRaw(near, address)
    await connection.close()
  }
}

class FarEnd implements AsyncDisposable {
  readonly address: string
  readonly #child: ChildProcess

  private constructor(address: string, child: ChildProcess) {
    this.address = address
    this.#child = child
  }

  static async of(name: LinkName): Promise<FarEnd> {
    const child = fork(join(import.meta.dirname, 'link-peer.ts'), [name])
    const [{ ready }] = (await once(child, 'message')) as [{ ready: string }]
    return new FarEnd(ready, child)
  }

  async usage(): Promise<Usage> {
    this.#child.send('usage')
    const [{ usage }] = (await once(this.#child, 'message')) as [{ usage: Usage }]
    return usage
  }

  /** How long it takes, and what both processes pay for it. */
  async cost(work: () => Promise<void>): Promise<{ readonly tookMs: number; readonly cpuMs: number }> {
    const [farBefore, nearBefore, startMs] = [await this.usage(), process.cpuUsage(), performance.now()]
    await work()
    const tookMs = performance.now() - startMs
    const { user, system } = process.cpuUsage(nearBefore)
    const farAfter = await this.usage()
    return { tookMs, cpuMs: farAfter.cpuMs - farBefore.cpuMs + (user + system) / 1_000 }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.disconnect()
    await exit
  }
}
