/** The result document: what came of a lease, signed by the provider. DAG-CBOR, with a CID that the last receipt names. */
import * as dagCbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { equals } from 'uint8arrays'
import { z } from 'zod'

import { Fault, checkedCid, cidOfDocument, openEnvelope, sealEnvelope, type Signed } from '../wire/index.ts'
import type { Notary } from '../negotiate/codec.ts'
import { ranImageSchema } from './container.ts'
import { resultType } from './messages.ts'

export const resultBytesMax = 16 * 1024
const integer = z.int().min(0).max(Number.MAX_SAFE_INTEGER)

/**
 * How the work ended. Up to `gas-limit` the program ran and the work is owed; `module-invalid` and the last two mean that it
 * did not run, and nothing is owed.
 */
export const endReasons = [
  'exited',
  'trapped',
  'wall-limit',
  'memory-limit',
  'output-limit',
  'log-limit',
  'gas-limit',
  'cancelled',
  'module-invalid',
  'inputs-missing',
  'provider-failed',
] as const
export type EndReason = (typeof endReasons)[number]

const log = z.strictObject({ bytes: integer, sha256: z.string().length(64) })

const resultSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('result'),
  job: z.string(),
  lease: z.string().length(64),
  slot: integer,
  epoch: integer,
  reason: z.enum(endReasons),
  /** The program's own code, 32 bits unsigned as in WASI; null when it did not come to exit. */
  exitCode: integer.max(2 ** 32 - 1).nullable(),
  detail: z.string().max(1000),
  stdout: log,
  stderr: log,
  /** CID of the output object's manifest (a tar of /out); null when the program wrote none. */
  outputs: z.string().nullable(),
  outputBytes: integer,
  outputFiles: integer,
  /** Of the tar, before it is sealed; null when there is none. */
  outputsSha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** Of a container, once its image was in the engine. */
  image: ranImageSchema.nullable(),
  usage: z.strictObject({
    wallMs: integer,
    cpuMs: integer,
    memoryBytesPeak: integer,
    gas: integer,
    inBytes: integer,
    outBytes: integer,
  }),
})

export type ResultDocument = z.infer<typeof resultSchema>

/** Whether the provider did its part: then the work is paid for, whatever the program made of it. */
export function isWorkDone(reason: EndReason): boolean {
  return reason !== 'module-invalid' && reason !== 'inputs-missing' && reason !== 'provider-failed'
}

/** Whether another provider might do better. A user's own mistake is not retried on every peer. */
export function isWorthRetrying(reason: EndReason): boolean {
  return reason === 'inputs-missing' || reason === 'provider-failed'
}

/** What came of the program. */
export type Made = Pick<
  ResultDocument,
  'job' | 'reason' | 'exitCode' | 'stdout' | 'stderr' | 'outputsSha256' | 'outputBytes' | 'outputFiles'
> & { readonly usage: Pick<ResultDocument['usage'], 'gas'> }

/** Whether a deterministic job ends like this wherever it runs: how fast a machine is, and how full, is its own. */
export function isComparable(reason: EndReason): boolean {
  return isWorkDone(reason) && reason !== 'wall-limit' && reason !== 'memory-limit' && reason !== 'cancelled'
}

/**
 * The CID of what came of the program, without who ran it, when, and how fast: for a job of the deterministic profile it is the same
 * wherever the job ran to its end.
 */
export function outcomeOf(result: Made): string {
  const { job, reason, exitCode, stdout, stderr, outputsSha256, outputBytes, outputFiles } = result
  const { gas } = result.usage
  const outputs = outputsSha256 === null ? null : { sha256: outputsSha256, bytes: outputBytes, files: outputFiles }
  return cidOfDocument(dagCbor.encode({ v: 1, kind: 'outcome', job, reason, exitCode, stdout, stderr, outputs, gas }))
}

export function sealResult(
  notary: Notary,
  result: ResultDocument,
): { readonly cid: string; readonly envelope: Uint8Array } {
  const bytes = dagCbor.encode(resultSchema.parse(result))
  return { cid: cidOfDocument(bytes), envelope: sealEnvelope(notary.signer, notary.network, resultType, bytes) }
}

export interface OpenedResult extends Signed<ResultDocument> {
  readonly cid: string
}

/** Throws a Fault. */
export function openResult(notary: Notary, envelope: Uint8Array): OpenedResult {
  if (envelope.byteLength > resultBytesMax) {
    throw new Fault('FRAME_TOO_LARGE', 'the result is over its cap', { bytes: envelope.byteLength, resultBytesMax })
  }
  const { by, body } = openEnvelope(notary.signer, notary.network, resultType, envelope)
  const parsed = resultSchema.safeParse(parseDocument(body))
  if (!parsed.success)
    throw new Fault('FIELD_INVALID', `result: ${parsed.error.issues[0]!.message}`, {
      path: parsed.error.issues[0]!.path.join('.'),
    })
  checkedCid(parsed.data.job, 'job')
  if (parsed.data.outputs !== null) checkedCid(parsed.data.outputs, 'outputs')
  return { by, envelope, body: parsed.data, cid: cidOfDocument(body) }
}

/** A document has one form, so that readers in any language agree on what is one: no fractions, no links, keys in their order. */
function parseDocument(bytes: Uint8Array): unknown {
  try {
    const document: unknown = dagCbor.decode(bytes)
    if (isPlain(document) && equals(dagCbor.encode(document), bytes)) return document
  } catch {
    // As below.
  }
  throw new Fault('FRAME_MALFORMED', 'the result is not DAG-CBOR in its one form')
}

function isPlain(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return true
  return CID.asCID(value) === null && Object.values(value).every(isPlain)
}
