/** A mesh of live peers in this process, without latency, that trade: most lend, some ask. What is run is a wait. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'

import { perfectLink } from '../../sim/live/link.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { modelledExecutor } from '../../sim/live/run/modelled-executor.ts'
import { LiveWorld } from '../../sim/live/world.ts'
import { digestProgram } from '../../sim/programs/digest.ts'

/** One job, as its requester was told. Milliseconds since its first bid. */
export interface Trade {
  readonly offerMs: number | undefined
  /** Null: it came to no lease. */
  readonly commitMs: number | null
}

export interface Bazaar extends AsyncDisposable {
  readonly askers: readonly LivePeer[]
  /** Asks for one job, and resolves when it is over. */
  trade(asker: LivePeer, signal: AbortSignal): Promise<Trade>
  /** Offers that all peers have made so far. */
  offersMade(): Promise<number>
}

const meshWithinMs = 60_000
const workMs = 20
/** Each has asked before: what a market is like is learned. */
const askersOf = (peers: number): number => Math.min(5, Math.max(1, Math.round(peers / 10)))
const spec = { cpuMilli: 100, memoryBytes: 2 ** 26, diskBytes: 0, priceMax: '5' }

export async function openBazaar(peers: number, folder: string, seed: number, signal: AbortSignal): Promise<Bazaar> {
  const asking = askersOf(peers)
  const roles = Array.from({ length: peers }, (_, index) => ({ lends: index >= asking, vice: null, skewMs: 0 }))
  const world = await LiveWorld.boot(
    { peers: roles, seed, carrier: 'own', boot: 'fast', link: perfectLink, executor: modelledExecutor(workMs) },
    () => {},
  )
  const module = join(folder, `digest-${peers}.wasm`)
  await writeFile(module, digestProgram(0))
  await world.waitForMesh(Math.min(4, peers - 1), meshWithinMs)
  await world.waitForRecords(meshWithinMs)
  const askers = world.peers.slice(0, asking)
  // As one that is up for a while, who asks knows who lends.
  for (const { control } of askers) while ((await control.offers(true, signal)).length === 0) signal.throwIfAborted()
  return {
    askers,
    trade: async ({ control }, until) => {
      const { id } = await control.submit({ ...spec, module }, until)
      return follow(control, id, until)
    },
    offersMade: async () => {
      const views = await Promise.all(world.lenders.map(async ({ control }) => control.status()))
      return views.reduce((sum, { market }) => sum + market.answered, 0)
    },
    [Symbol.asyncDispose]: async () => world.stop(),
  }
}

async function follow(control: LivePeer['control'], job: string, signal: AbortSignal): Promise<Trade> {
  let bidMs: number | undefined
  let offerMs: number | undefined
  let commitMs: number | undefined
  for await (const event of control.jobEvents(job, { logs: false, follow: true }, signal)) {
    if (event.type === 'bid') bidMs ??= event.atMs
    else if (event.type === 'offer') offerMs ??= event.atMs
    else if (event.type === 'matched') commitMs ??= event.atMs
  }
  if (bidMs === undefined) throw new Error('a job was not bid for')
  return {
    offerMs: offerMs === undefined ? undefined : offerMs - bidMs,
    commitMs: commitMs === undefined ? null : commitMs - bidMs,
  }
}

/** The least of them that so large a share does not exceed (nearest rank). Infinity when there is none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Infinity
}

export const nowMs = (): number => performance.now()
