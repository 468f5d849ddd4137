/**
 * How a run speaks to its agents: one HTTP request for each call of a part, its arguments and its answer as DAG-CBOR. A call lasts as
 * long as what it asks for; who hangs up ends it.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { z } from 'zod'

import { livePeersMax } from '../../scenarios/index.ts'
import { scenarioSchema } from '../../scenarios/schema.ts'
import type { Scenario } from '../../scenarios/scenario.ts'

/** Of what is said here. Named in every answer, so that a run and an agent of different builds do not guess. */
export const agentVersion = 1
export const versionHeader = 'pleach-agent'

/** What an agent is given first. */
export interface AgentOrder {
  readonly v: number
  readonly scenario: Scenario
  readonly seed: number
  /** Its peers, from the first to before the last. */
  readonly mine: readonly [from: number, to: number]
  /** What it is called in the report. */
  readonly name: string
}

/** Read before all else, so that what another build says is not taken for nonsense. */
export const versionSchema = z.object({ v: z.int() })

export const orderSchema = z
  .strictObject({
    v: z.literal(agentVersion),
    scenario: scenarioSchema,
    seed: z.int().min(0),
    mine: z.tuple([z.int().min(0), z.int().min(1)]),
    name: z.string().max(100),
  })
  .refine(({ scenario, mine: [from, to] }) => from < to && to <= scenario.peers, 'its peers are none of the scenario')
  .refine(({ mine: [from, to] }) => to - from <= livePeersMax, `an agent has at most ${livePeersMax} peers`)

export const residentsSchema = z.array(
  z.strictObject({ index: z.int().min(0), peer: z.string().max(100), address: z.string().max(200) }),
)

/** Calls of a part: `POST /v1/RUN/CALL`, where RUN is the same for all calls of a run, so that no run ends another's. */
export const calls = [
  'open',
  'start',
  'join',
  'probe',
  'putObjects',
  'getObjects',
  'act',
  'settle',
  'mend',
  'sample',
  'ties',
  'findings',
  'stop',
  'close',
] as const
export type Call = (typeof calls)[number]

/** Ledgers of some thousand peers, or a list of all peers. */
export const bodyBytesMax = 512 * 1024 * 1024

export function encodeBody(value: unknown): Uint8Array {
  return dagCbor.encode(value ?? null)
}

export function decodeBody(bytes: Uint8Array): unknown {
  return dagCbor.decode(bytes)
}

/** What became of a call that did not succeed: who, what, and what helps. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
}
