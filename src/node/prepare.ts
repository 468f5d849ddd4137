/** From what a person asked for to a job manifest: files read, hashed, and sealed where they are too large to travel inline. */
import { createHash } from 'node:crypto'
import { readFile, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'

import {
  encodeJobManifest,
  inlineBytesMax,
  inlineTotalBytesMax,
  jobManifestSchema,
  describeIssue,
  type Grant,
  type GrantKind,
  type JobManifest,
} from '../../protocols/execute/index.ts'
import { isImageReference, parseHealth } from '../config/job-input.ts'
import { ControlError, type JobSpec } from '../control/api.ts'
import { hashFile } from './hash-file.ts'
import { amountOf } from './amount.ts'
import { requirementsOf } from './asking.ts'

/** An input as the requester holds it: to be sent inline, or to be placed with keepers when its turn comes. */
export interface PreparedInput {
  readonly guestPath: string
  readonly kind: GrantKind
  readonly bytes: number
  readonly sha256: string
  readonly inline: Uint8Array | null
  /** CID of the sealed object, when it is not inline. */
  readonly object: string | null
}

export interface PreparedJob {
  readonly job: string
  readonly manifest: JobManifest
  readonly manifestBytes: Uint8Array
  readonly module: PreparedInput
  readonly inputs: readonly PreparedInput[]
}

export interface PrepareDeps {
  /** Seals a file and keeps its shards here; answers with the object's CID. */
  seal(path: string, code: Code, signal: AbortSignal): Promise<string>
  /** Packs a folder as a tar and answers with the tar's path. */
  packFolder(path: string): Promise<string>
  parseCode(text: string): Code | undefined
  nonce(): string
  readonly unit: string
}

export interface Code {
  readonly k: number
  readonly m: number
}

type Engine = JobManifest['engine']

const mib = 1024 * 1024
const nameCharsMax = 64
/** In the place of a module, where there is none. */
const nothing: PreparedInput = {
  guestPath: '',
  kind: 'module',
  bytes: 0,
  sha256: createHash('sha256').digest('hex'),
  inline: new Uint8Array(),
  object: null,
}
const defaults = {
  cpuMilli: 1_000,
  memoryBytes: 512 * mib,
  diskBytes: 1024 * mib,
  wallMs: 10 * 60_000,
  logBytes: 64 * mib,
  outputBytes: 1024 * mib,
  code: '4+2',
  priceMax: '100',
  costMax: '10',
}

export async function prepareJob(spec: JobSpec, deps: PrepareDeps, signal: AbortSignal): Promise<PreparedJob> {
  const code = codeOf(spec.code ?? defaults.code, deps)
  const budget = { inlineLeft: inlineTotalBytesMax }
  const engine = engineOf(spec)
  const program = programOf(spec)
  const module =
    program.path === null ? nothing : await prepareInput(program.path, '', 'module', code, budget, deps, signal)
  const inputs: PreparedInput[] = []
  for (const { path, guestPath } of spec.inputs ?? []) {
    const at = guestPath ?? `/in/${basename(path)}`
    const isFolder = (await statOf(path)).isDirectory()
    const source = isFolder ? await deps.packFolder(path) : path
    inputs.push(await prepareInput(source, at, isFolder ? 'tar' : 'file', code, budget, deps, signal))
  }
  const stdin =
    spec.stdin === undefined ? null : await prepareInput(spec.stdin, '', 'stdin', code, budget, deps, signal)
  const manifest = checkedManifest({
    apiVersion: 'pleach/v1',
    kind: 'job',
    name: spec.name ?? basename(program.name).slice(0, nameCharsMax),
    engine,
    module: program.path === null ? null : contentOf(module),
    container: engine === 'oci' ? containerOf(spec, program.reference) : null,
    args: [...(spec.args ?? [])],
    env: { ...spec.env },
    inputs: inputs.map((input) => ({
      ...contentOf(input),
      path: input.guestPath,
      kind: input.kind === 'tar' ? 'tar' : 'file',
    })),
    stdin: stdin === null ? null : contentOf(stdin),
    resources: resourcesOf(spec),
    deterministic: spec.deterministic ?? false,
    code: { k: code.k, m: code.m },
    price: priceOf(spec, deps.unit),
    nonce: deps.nonce(),
  })
  const { job, bytes } = encodeJobManifest(manifest)
  return { job, manifest, manifestBytes: bytes, module, inputs: stdin === null ? inputs : [...inputs, stdin] }
}

/** What is to run it: what the job says, or else what follows from what is run. Throws a ControlError BAD_SPEC. */
export function engineOf(spec: Pick<JobSpec, 'image' | 'runtime'>): Engine {
  const follows = spec.image === undefined ? undefined : 'oci'
  if (spec.runtime !== undefined && follows !== undefined && spec.runtime !== follows)
    throw badSpec('the runtime does not fit', `an image is run by ${follows}, not by ${spec.runtime}`, '--runtime oci')
  return spec.runtime ?? follows ?? 'wasi-preview1'
}

interface Program {
  readonly name: string
  /** Null: it is in a registry, under `reference`. */
  readonly path: string | null
  readonly reference: string | null
}

function programOf(spec: JobSpec): Program {
  const { module, image, runtime, imageDigest, entrypoint, type, ports, health, gasMax, deterministic } = spec
  if ((module === undefined) === (image === undefined))
    throw badSpec('what is to be run is not clear', 'a job has either a module or an image', 'pleach run --help')
  if (image === undefined) {
    if (type === 'service' || ports !== undefined || health !== undefined)
      throw badSpec(
        'a module cannot be a service',
        'a program of WASI preview 1 cannot listen',
        '--image FILE --port 80',
      )
    const isOfImage = runtime === 'oci' || imageDigest !== undefined || entrypoint !== undefined
    if (isOfImage) throw badSpec('a module is no image', 'what was said is for images alone', '--image FILE')
    return { name: module!, path: module!, reference: null }
  }
  if (gasMax !== undefined)
    throw badSpec('an image has no limit of gas', 'nobody counts the instructions of a container', '--timeout 10m')
  if (deterministic === true)
    throw badSpec(
      'an image is not deterministic',
      "time and chance of a container are the machine's",
      'pleach run MODULE',
    )
  if (!isImageReference(image)) return { name: image, path: image, reference: null }
  return { name: image.slice(0, image.indexOf('@')), path: null, reference: image }
}

type Container = NonNullable<JobManifest['container']>

/** How often the health of a service is asked for, and how often it may be bad in a row. */
const healthDefaults = { intervalMs: 5_000, failuresMax: 3 }

function serviceOf({ type, ports = [], health }: JobSpec): Container['service'] {
  if (type === 'job' && (ports.length > 0 || health !== undefined))
    throw badSpec('a job has no ports', 'what is connected to is a service', 'type: service')
  if (type !== 'service' && ports.length === 0 && health === undefined) return null
  if (ports.length === 0) throw badSpec('a service without ports cannot be reached', 'none is said', '--port 80')
  const check = health === undefined ? undefined : parseHealth(health)
  return { ports: [...ports], health: check === undefined ? null : { ...check, ...healthDefaults } }
}

function containerOf(spec: JobSpec, reference: string | null): Container {
  const { gpus } = requirementsOf(spec, { engine: 'oci', resources: resourcesOf(spec) })
  return {
    image: reference,
    digest: spec.imageDigest ?? null,
    entrypoint: spec.entrypoint === undefined ? null : [...spec.entrypoint],
    egress: spec.egress ?? false,
    gpus: gpus?.count ?? 0,
    service: serviceOf(spec),
  }
}

export function resourcesOf(spec: Partial<JobSpec>): JobManifest['resources'] {
  return {
    cpuMilli: spec.cpuMilli ?? defaults.cpuMilli,
    memoryBytes: spec.memoryBytes ?? defaults.memoryBytes,
    diskBytes: spec.diskBytes ?? defaults.diskBytes,
    wallMs: spec.wallMs ?? defaults.wallMs,
    logBytes: spec.logBytes ?? defaults.logBytes,
    outputBytes: spec.outputBytes ?? defaults.outputBytes,
    gas: spec.gasMax ?? null,
  }
}

/** Throws a ControlError BAD_SPEC. */
export function priceOf(spec: Partial<JobSpec>, unit: string): JobManifest['price'] {
  return {
    unit,
    cpuHourMicroMax: amountOf(spec.priceMax ?? defaults.priceMax, '--max-price'),
    ceilingMicro: amountOf(spec.costMax ?? defaults.costMax, '--max-cost'),
  }
}

/** The grant of an input that travels inline. */
export function inlineGrant(input: PreparedInput): Grant {
  const none = new Uint8Array()
  return {
    guestPath: input.guestPath,
    kind: input.kind,
    manifest: none,
    key: none,
    sources: [],
    inline: input.inline ?? none,
  }
}

async function prepareInput(
  path: string,
  guestPath: string,
  kind: GrantKind,
  code: Code,
  budget: { inlineLeft: number },
  deps: PrepareDeps,
  signal: AbortSignal,
): Promise<PreparedInput> {
  const { size } = await statOf(path)
  if (size <= inlineBytesMax && size <= budget.inlineLeft) {
    const inline = new Uint8Array(await readFile(path))
    budget.inlineLeft -= inline.byteLength
    return {
      guestPath,
      kind,
      bytes: inline.byteLength,
      sha256: createHash('sha256').update(inline).digest('hex'),
      inline,
      object: null,
    }
  }
  const { sha256 } = await hashFile(path, signal)
  const object = await deps.seal(path, code, signal)
  return { guestPath, kind, bytes: size, sha256, inline: null, object }
}

async function statOf(path: string) {
  try {
    return await stat(path)
  } catch {
    throw new ControlError({
      code: 'NO_SUCH_FILE',
      what: `${path} cannot be read`,
      why: 'there is no such file or folder, or this peer may not read it',
      cure: `ls -l ${join(path)}`,
      exit: 2,
    })
  }
}

function contentOf({ bytes, sha256, object }: PreparedInput) {
  return { bytes, sha256, object }
}

function checkedManifest(manifest: JobManifest): JobManifest {
  const parsed = jobManifestSchema.safeParse(manifest)
  if (parsed.success) return parsed.data
  throw new ControlError({
    code: 'BAD_SPEC',
    what: 'the job cannot be described',
    why: describeIssue(parsed.error.issues[0]!, jobManifestSchema),
    cure: 'pleach run --help',
    exit: 2,
  })
}

function badSpec(what: string, why: string, cure: string): ControlError {
  return new ControlError({ code: 'BAD_SPEC', what, why, cure, exit: 2 })
}

function codeOf(text: string, deps: PrepareDeps): Code {
  const code = deps.parseCode(text)
  if (code !== undefined) return code
  throw new ControlError({
    code: 'BAD_SPEC',
    what: `${text} is not an erasure code`,
    why: 'a code is K+M with 1 to 256 shards in all, or small, ship, keep, deep',
    cure: '--code 4+2',
    exit: 2,
  })
}

/** Outputs are put where nothing is: a job that took an hour must not fail over a file name, nor overwrite anything. */
export async function checkOut(out: string): Promise<void> {
  let names: string[]
  try {
    names = await readdir(out)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new ControlError({
      code: 'OUT_UNUSABLE',
      what: `${out} cannot be used for outputs`,
      why: (error as Error).message,
      cure: '--out NEW-FOLDER',
      exit: 2,
    })
  }
  if (names.length === 0) return
  throw new ControlError({
    code: 'OUT_NOT_EMPTY',
    what: `${out} is not empty`,
    why: `it holds ${names.length} files or folders, which outputs must not mix with`,
    cure: '--out NEW-FOLDER',
    exit: 2,
  })
}
