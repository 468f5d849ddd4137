/**
 * The job manifest: what is to be run. A DAG-CBOR document with a CID of its own, made once by the requester and given only
 * to providers that were awarded. Unknown keys are refused with the nearest right name, because a misspelt limit that is
 * silently ignored is the worst of errors.
 */
import * as dagCbor from '@ipld/dag-cbor'
import { z } from 'zod'

import { Fault, checkedCid, cidOfDocument, microMax } from '../wire/index.ts'
import { manifestBytesMax } from '../negotiate/messages.ts'
import { argument } from './argument.ts'
import { containerSchema } from './container.ts'
import { nearestName } from './nearest-name.ts'

export const argsMax = 1024
export const envMax = 256
export const inputsMax = 64
const pathCharsMax = 512
const sha256HexPattern = /^[0-9a-f]{64}$/
const envNamePattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/

const integer = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const cid = z.string().refine((text) => isCid(text), 'is not the CID of a document')
const guestPath = z.string().refine((path) => isGuestPath(path), 'is not an absolute path under /in')

/** What the bytes are, so that whoever fetches them can tell. `object` is null when they travel inside START. */
const content = { bytes: integer, sha256: z.string().regex(sha256HexPattern), object: cid.nullable() }

const manifestSchema = z.strictObject({
  apiVersion: z.literal('pleach/v1'),
  kind: z.literal('job'),
  name: z.string().max(64),
  engine: z.enum(['wasi-preview1', 'oci']),
  /** A WebAssembly module, or an image as an OCI archive; null when the image is in a registry. */
  module: z.strictObject(content).nullable(),
  container: containerSchema.nullable(),
  args: z.array(argument).max(argsMax),
  env: z.record(z.string().regex(envNamePattern), argument),
  inputs: z.array(z.strictObject({ ...content, path: guestPath, kind: z.enum(['file', 'tar']) })).max(inputsMax),
  stdin: z.strictObject(content).nullable(),
  resources: z.strictObject({
    cpuMilli: integer.min(1),
    memoryBytes: integer.min(65_536),
    diskBytes: integer,
    wallMs: integer.min(1),
    logBytes: integer,
    outputBytes: integer,
    /** Instructions, as the engine counts them (src/execution/README.md); null: as many as the time allows. */
    gas: integer.min(1).nullable(),
  }),
  /** Time and chance are made from the job's CID, and the program does the same wherever it runs. */
  deterministic: z.boolean(),
  /** Erasure code of the outputs. */
  code: z.strictObject({ k: z.int().min(1).max(255), m: z.int().min(0).max(255) }),
  price: z.strictObject({
    unit: z.string().min(1).max(64),
    cpuHourMicroMax: integer.max(microMax),
    ceilingMicro: integer.max(microMax),
  }),
  /** Random text: two runs of the same work are two jobs. */
  nonce: z.string().max(64),
})

export const jobManifestSchema = manifestSchema
  .refine(({ engine, container }) => (engine === 'oci') === (container !== null), {
    path: ['container'],
    message: 'goes with the engine oci, and with no other',
  })
  .refine(({ module, container }) => (module === null) === (typeof container?.image === 'string'), {
    path: ['module'],
    message: 'there is either a module or an image in a registry',
  })
  .refine(({ engine, resources }) => engine === 'wasi-preview1' || resources.gas === null, {
    path: ['resources', 'gas'],
    message: 'nobody counts the instructions of a container: gas goes with the engine wasi-preview1',
  })
  .refine(({ engine, deterministic }) => engine === 'wasi-preview1' || !deterministic, {
    path: ['deterministic'],
    message: 'a container cannot be made to do the same everywhere: it goes with the engine wasi-preview1',
  })

export type JobManifest = z.infer<typeof jobManifestSchema>
export type JobInput = JobManifest['inputs'][number]

export function encodeJobManifest(manifest: JobManifest): { readonly job: string; readonly bytes: Uint8Array } {
  const bytes = dagCbor.encode(jobManifestSchema.parse(manifest))
  if (bytes.byteLength > manifestBytesMax) {
    throw new RangeError(`the job manifest has ${bytes.byteLength} bytes, over the cap of ${manifestBytesMax}`)
  }
  return { job: cidOfDocument(bytes), bytes }
}

/** Throws Fault FRAME_MALFORMED or FIELD_INVALID; its message names the key and, for an unknown one, the nearest right name. */
export function decodeJobManifest(bytes: Uint8Array): JobManifest {
  const parsed = jobManifestSchema.safeParse(parseDocument(bytes))
  if (parsed.success) return parsed.data
  throw new Fault('FIELD_INVALID', `job manifest: ${describeIssue(parsed.error.issues[0]!, jobManifestSchema)}`)
}

/** One issue of a schema as a person reads it: `resources.memroyBytes is not a key; did you mean memoryBytes?` */
export function describeIssue(issue: z.core.$ZodIssue, schema: z.ZodType): string {
  const path = issue.path.map(String).join('.')
  if (issue.code !== 'unrecognized_keys') return `${path === '' ? 'it' : path}: ${issue.message}`
  const key = issue.keys[0]!
  const nearest = nearestName(key, namesAt(schema, issue.path))
  return `${path === '' ? '' : `${path}.`}${key} is not a key${nearest === undefined ? '' : `; did you mean ${nearest}?`}`
}

/** The keys that the schema knows at a path. */
function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at: unknown = z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' })
  for (const step of path) {
    const node = at as { properties?: Record<string, unknown>; items?: unknown; anyOf?: unknown[] }
    const branch = node.anyOf?.find((option) => (option as { properties?: unknown }).properties !== undefined) as
      | typeof node
      | undefined
    at = typeof step === 'number' ? node.items : (branch ?? node).properties?.[String(step)]
    if (at === undefined) return []
  }
  const node = at as { properties?: Record<string, unknown>; anyOf?: { properties?: Record<string, unknown> }[] }
  return Object.keys(node.properties ?? node.anyOf?.find((option) => option.properties !== undefined)?.properties ?? {})
}

function parseDocument(bytes: Uint8Array): unknown {
  try {
    return dagCbor.decode(bytes)
  } catch {
    throw new Fault('FRAME_MALFORMED', 'the job manifest is not DAG-CBOR', { bytes: bytes.byteLength })
  }
}

function isCid(text: string): boolean {
  try {
    checkedCid(text, 'object')
    return true
  } catch {
    return false
  }
}

/** Inputs live under /in; no empty, `.` or `..` component, no control character. */
function isGuestPath(path: string): boolean {
  if (path.length > pathCharsMax || !path.startsWith('/in/')) return false
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f\\]/.test(path)) return false
  return path
    .split('/')
    .slice(1)
    .every((part) => part !== '' && part !== '.' && part !== '..')
}

export function checkedGuestPath(path: string): string {
  if (!isGuestPath(path))
    throw new Fault('FIELD_INVALID', 'the path of an input is not lawful', { path: path.slice(0, 100) })
  return path
}
