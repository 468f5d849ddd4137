/** `pleach devnet`: a small network in one process, so that everything can be tried on one machine with nothing configured. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { liveContext, removeContext, writeContext } from '../config/context.ts'
import { defaultProfile, directoriesOf, socketPath } from '../config/directories.ts'
import { exits } from '../config/error.ts'
import { formatMicro } from '../config/quantities.ts'
import { realClock, realRandom } from '../environment.ts'
import { defineCommand, type Invocation } from './command.ts'
import { devnetOffers, devnetOptions } from './devnet-peers.ts'
import { safe } from './escape.ts'
import type { ForegroundPeer } from './foreground-peer.ts'
import { count, cpu, memory, price, size } from './format.ts'
import { createLog } from './log-lines.ts'
import { Failure, usage } from './problem.ts'
import { listenForStop, type StopWish } from './signals.ts'
import { stopPeers } from './stop-peers.ts'

const peersDefault = 5
const peersMin = 2
/** Each holds some tens of MB. */
const peersMax = 50
const flags = {
  peers: { type: 'text', placeholder: 'N', about: `how many, ${peersMin} to ${peersMax} (default ${peersDefault})` },
} as const

export const command = defineCommand({
  usage: 'devnet [--peers N] [flags]',
  about: [
    'Several peers in this process, over TCP on 127.0.0.1: one that asks, the others lend. While it runs, other commands speak',
    'to it. Ctrl-C stops it and deletes everything that it made. With --json one object on stdout says when it is ready.',
  ],
  flags,
  takes: [],
  handlesSignals: true,
  async run(invocation) {
    const wanted = peersWanted(invocation.flags.peers)
    const { contextFile } = directoriesOf(invocation.env, defaultProfile)
    const other = await liveContext(contextFile)
    if (other !== undefined) {
      throw new Failure({
        code: 'DEVNET_RUNNING',
        what: `${other.name} is running already (pid ${other.pid}, ${count(other.peers, 'peer')})`,
        why: 'commands can find only one',
        cure: `kill ${other.pid}`,
        exit: exits.localResource,
      })
    }
    const stop = listenForStop()
    const folder = await mkdtemp(join(tmpdir(), 'pleach-devnet-'))
    try {
      return await serve(wanted, folder, contextFile, stop, invocation)
    } finally {
      removeContext(contextFile, process.pid)
      await rm(folder, { recursive: true, force: true })
    }
  },
})

async function serve(
  wanted: number,
  folder: string,
  contextFile: string,
  stop: StopWish,
  { terminal }: Invocation<typeof flags>,
): Promise<number> {
  const startedMs = performance.now()
  terminal.note(`devnet  ${count(wanted, 'peer')} in this process, nothing leaves 127.0.0.1`)
  const log = createLog(terminal, 'warn')
  const environment = { clock: realClock, random: realRandom, log }
  const { createPeer } = await import('../node.ts')
  const { serveControl } = await import('../control/server.ts')
  const network = `devnet-${randomBytes(4).toString('hex')}`
  const requester: ForegroundPeer = await createPeer(
    devnetOptions({ network, folder, index: 0, bootstrap: [] }),
    environment,
  )
  const peers: ForegroundPeer[] = [requester]
  try {
    const bootstrap = requester.addresses()
    for (let index = 1; index < wanted; index++) {
      if (stop.signal.aborted) break
      peers.push(await createPeer(devnetOptions({ network, folder, index, bootstrap }), environment))
    }
    let isReady = false
    const socket = socketPath(join(folder, 'control.sock'))
    const house = { control: requester.control, isReady: () => isReady, stop: () => stop.ask() }
    const server = await serveControl(socket, house, environment)
    try {
      // Those that lend first, so that there is something to be found when the one that asks looks around.
      await Promise.all(peers.slice(1).map(async (peer) => peer.ready(stop.signal)))
      const facts = await requester.ready(stop.signal)
      isReady = true
      writeContext(contextFile, { name: 'devnet', pid: process.pid, peers: wanted, socket })
      const readyMs = performance.now() - startedMs
      terminal.note(...peerLines(peers.map(({ petname }) => petname)))
      terminal.note(
        `ready in ${(readyMs / 1_000).toFixed(1)} s - mesh ${facts.meshDegree}/${wanted - 1}, dht ${count(facts.records, 'record')}`,
        'Ctrl-C stops and deletes everything',
      )
      if (terminal.json) {
        const listed = peers.map((peer) => ({ peer: peer.name, petname: peer.petname, addresses: peer.addresses() }))
        const { meshDegree, records } = facts
        await terminal.printJson({
          v: 1,
          ready: true,
          readyMs: Math.round(readyMs),
          socket,
          meshDegree,
          records,
          peers: listed,
        })
      }
      await stop.asked
    } catch (error) {
      if (!stop.signal.aborted) throw error
    } finally {
      removeContext(contextFile, process.pid)
      await server.close()
    }
  } catch (error) {
    await stopPeers(peers, terminal)
    throw error
  }
  return stopPeers(peers, terminal)
}

function peerLines(petnames: readonly string[]): string[] {
  const width = Math.max(...petnames.map((petname) => safe(petname, 40).length))
  return petnames.map((petname, index) => {
    const offer = devnetOffers(index)
    const lends =
      offer === null
        ? 'requester'
        : `${cpu(offer.cpuMilli)}  ${memory(offer.memoryBytes)}  ${size(offer.keepBytes)}  ${price(formatMicro(offer.cpuHourMicro))}`
    return `  ${safe(petname, 40).padEnd(width)}  ${lends}`
  })
}

function peersWanted(text: string | undefined): number {
  if (text === undefined) return peersDefault
  const wanted = /^\d{1,3}$/.test(text) ? Number(text) : NaN
  if (wanted >= peersMin && wanted <= peersMax) return wanted
  throw usage(
    `--peers ${text.slice(0, 40)} cannot be used`,
    `a devnet has ${peersMin} to ${peersMax} peers`,
    'pleach devnet --peers 5',
  )
}
