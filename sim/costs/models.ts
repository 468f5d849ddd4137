/** The models of gossip and of look-ups at all sizes that are compared. */
import type { LookUpPoint } from './look-ups.ts'
import { modelLookUps } from './look-ups.ts'
import { modelGossip } from './gossip.ts'
import { liveTable, productionTable, type Models } from './predict.ts'
import type { TableKind } from './tables.ts'

export const tableKinds: readonly TableKind[] = [
  { name: liveTable, places: 6, depthMax: 6, isOwnSideOnly: false, isShared: true },
  { name: productionTable, places: 20, depthMax: 6, isOwnSideOnly: false, isShared: false },
  { name: 'kademlia', places: 20, depthMax: 32, isOwnSideOnly: true, isShared: false },
]

const lookUps = 100
/** Hops of messages that are lived through, about: a bigger mesh has fewer messages. */
const hearingsWanted = 400_000
const messagesMax = 20

export interface ModelOptions {
  readonly sizes: readonly number[]
  readonly seed: number
  readonly delayMs: readonly [number, number]
  readonly say: (line: string) => void
}

export function runModels({ sizes, seed, delayMs, say }: ModelOptions): Models {
  const gossip = sizes.map((peers) => {
    const messages = Math.min(messagesMax, Math.max(1, Math.floor(hearingsWanted / peers)))
    const point = modelGossip({ peers, messages, seed, delayMs })
    say(`  model: ${peers} peers, ${point.hopsMean.toFixed(2)} hops, heard by all in ${Math.round(point.lastMs)} ms`)
    return point
  })
  const points = tableKinds.flatMap((kind) =>
    sizes.map((peers): LookUpPoint => modelLookUps({ peers, kind, lookUps, seed })),
  )
  return { gossip, lookUps: points }
}
