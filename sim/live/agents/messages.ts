/**
 * How a run speaks to its agents: one HTTP request for each call of a part, its arguments and its answer as DAG-CBOR. A call lasts as
 * long as what it asks for; who hangs up ends it.
 */
import * as dagCbor from '@ipld/dag-cbor'

import type { Scenario } from '../../scenarios/scenario.ts'

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
  'ties',
  'findings',
  'stop',
  'close',
] as const
export type Call = (typeof calls)[number]

/** Ledgers of some thousand peers, or a list of all peers. */
export const bodyBytesMax = 512 * 1024 * 1024
/** Named in every answer, so that a run and an agent of different builds do not guess. */
export const agentVersion = 1

export function encodeBody(value: unknown): Uint8Array {
  return dagCbor.encode(value ?? null)
}

export function decodeBody(bytes: Uint8Array): unknown {
  return dagCbor.decode(bytes)
}

/** What became of a call that did not succeed. */
export class AgentError extends Error {
  override readonly name = 'AgentError'
}

/** `host:port`; undefined when it is none. */
export function parseAgentAddress(text: string): { readonly host: string; readonly port: number } | undefined {
  const match = /^(?<host>[a-z\d.-]+|\[[\da-f:]+\]):(?<port>\d{1,5})$/i.exec(text)
  const { host, port } = match?.groups ?? {}
  if (host === undefined || Number(port) > 65_535) return undefined
  return { host: host.replaceAll(/^\[|\]$/g, ''), port: Number(port) }
}
