/**
 * A job in a file: `pleach run -f job.yaml`. The keys are those of the job specification, in camelCase, snake_case or
 * kebab-case, and the words of the command line's flags (`cpu: 2`, `memory: 512Mi`, `timeout: 10m`). Relative paths begin
 * at the file's own folder, so that a job can be run from anywhere.
 */
import { dirname, resolve } from 'node:path'

import { z } from 'zod'

import { ConfigError, exits } from './error.ts'
import { isImageReference, parseInput } from './job-input.ts'
import { describeProblem, jobSpecKeys, oneProgram, type JobSpecInput } from './job-spec.ts'
import { parseBytes, parseCpuMilli, parseDurationMs } from './quantities.ts'
import { isGroup, readYaml } from './yaml-file.ts'

/** What the schema knows, and what says which schema it is. */
const jobFileKeys = jobSpecKeys.extend({
  apiVersion: z.literal('pleach/v1').exactOptional(),
  kind: z.literal('job').exactOptional(),
})
const jobFileSchema = oneProgram(jobFileKeys)

/** The flags' words, the key that each stands for, and how its plain numbers are meant. */
const flagWords: Readonly<Record<string, { readonly key: string; readonly parse: (text: string) => unknown }>> = {
  cpu: { key: 'cpuMilli', parse: parseCpuMilli },
  memory: { key: 'memoryBytes', parse: parseBytes },
  disk: { key: 'diskBytes', parse: parseBytes },
  timeout: { key: 'wallMs', parse: parseDurationMs },
  wait: { key: 'waitMs', parse: parseDurationMs },
  minBond: { key: 'bondMin', parse: (text) => text },
  maxPrice: { key: 'priceMax', parse: (text) => text },
  gpuMem: { key: 'gpuMemoryBytes', parse: parseBytes },
  rtt: { key: 'rttMs', parse: parseDurationMs },
  maxCost: { key: 'costMax', parse: (text) => text },
}

const names = [...Object.keys(jobFileKeys.shape), ...Object.keys(flagWords)]
const inputNames = ['path', 'guestPath']

/** Throws a ConfigError BAD_JOB_FILE; for an unknown key it names the nearest right one. */
export async function readJobFile(path: string): Promise<JobSpecInput> {
  const document = await readYaml(path, (why) => bad(path, why))
  if (document === undefined) throw bad(path, 'there is no such file')
  if (!isGroup(document)) throw bad(path, 'it holds no keys: begin with module: FILE.wasm, or image: FILE.tar')
  const parsed = jobFileSchema.safeParse(withRightNames(path, document))
  if (!parsed.success) throw bad(path, describeProblem(parsed.error.issues, jobFileSchema))
  const { apiVersion: _apiVersion, kind: _kind, ...spec } = parsed.data
  return fromFolder(spec, dirname(resolve(path)))
}

/** The spec with its paths taken from `folder`. */
function fromFolder(spec: JobSpecInput, folder: string): JobSpecInput {
  return {
    ...spec,
    ...(spec.module === undefined ? {} : { module: resolve(folder, spec.module) }),
    ...(spec.image === undefined || isImageReference(spec.image) ? {} : { image: resolve(folder, spec.image) }),
    ...(spec.inputs === undefined
      ? {}
      : { inputs: spec.inputs.map((input) => ({ ...input, path: resolve(folder, input.path) })) }),
    ...(spec.stdin === undefined ? {} : { stdin: resolve(folder, spec.stdin) }),
    ...(spec.out === undefined ? {} : { out: resolve(folder, spec.out) }),
  }
}

/** Keys that the schema knows under another spelling get its own; others stay as typed, for the schema to refuse. */
function withRightNames(path: string, document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [typed, value] of Object.entries(document)) {
    const name = names.find((one) => one === camelCase(typed)) ?? typed
    const word = Object.hasOwn(flagWords, name) ? flagWords[name] : undefined
    const key = word?.key ?? name
    if (Object.hasOwn(result, key)) throw bad(path, `${typed} says again what another key says: ${key}`)
    if (word !== undefined && typeof value === 'string') result[key] = parsedWord(path, typed, value, word.parse)
    else result[key] = key === 'inputs' && Array.isArray(value) ? value.map(inputWithRightNames) : value
  }
  return result
}

function inputWithRightNames(input: unknown): unknown {
  if (typeof input === 'string') return parseInput(input)
  if (!isGroup(input)) return input
  return Object.fromEntries(
    Object.entries(input).map(([typed, value]) => [inputNames.find((one) => one === camelCase(typed)) ?? typed, value]),
  )
}

function parsedWord(path: string, typed: string, value: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(value)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw bad(path, `${typed}: ${error.message}`)
  }
}

/** `memory_bytes` and `memory-bytes` are `memoryBytes`. */
function camelCase(key: string): string {
  return key.replaceAll(/[_-]([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function bad(path: string, why: string): ConfigError {
  return new ConfigError({
    code: 'BAD_JOB_FILE',
    what: `${path} does not describe a job`,
    why,
    cure: 'pleach run --help',
    exit: exits.usage,
  })
}
