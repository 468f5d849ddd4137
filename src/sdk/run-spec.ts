/** A job as a program writes it: what the control interface takes, and the words of the command line's flags. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

import { isImageReference } from '../config/job-input.ts'
import { describeProblem, jobSpecSchema, offerWishSchema } from '../config/job-spec.ts'
import { parseBytes, parseCpuMilli, parseDurationMs } from '../config/quantities.ts'
import { ControlError, type JobSpec, type OfferWish } from '../control/api.ts'

/** `2`, `'500m'`; bytes or `'512Mi'`; milliseconds or `'10m'`; an amount as `1.5` or `'1.5'`. */
export interface Words {
  readonly cpu?: number | string
  readonly memory?: number | string
  readonly disk?: number | string
  readonly timeout?: number | string
  readonly wait?: number | string
  readonly gpuMemory?: number | string
  readonly rtt?: number | string
  readonly minBond?: number | string
  readonly maxPrice?: number | string
  readonly maxCost?: number | string
}

/** Either a module or an image. Paths are relative to the folder that the process is in. A module may also be the bytes of one. */
export interface RunSpec extends Omit<JobSpec, 'module' | 'inputs'>, Words {
  readonly module?: string | URL | Uint8Array
  readonly inputs?: readonly (string | { readonly path: string; readonly guestPath?: string })[]
}

/** What a provider must have, in the same words. */
export type ProviderWish = OfferWish & Words

const milli = (text: string): number => parseCpuMilli(text)

const words: Readonly<
  Record<keyof Words, { readonly key: keyof OfferWish | 'waitMs'; readonly read: (text: string) => unknown }>
> = {
  cpu: { key: 'cpuMilli', read: milli },
  memory: { key: 'memoryBytes', read: parseBytes },
  disk: { key: 'diskBytes', read: parseBytes },
  timeout: { key: 'wallMs', read: durationMs },
  wait: { key: 'waitMs', read: durationMs },
  gpuMemory: { key: 'gpuMemoryBytes', read: parseBytes },
  rtt: { key: 'rttMs', read: durationMs },
  minBond: { key: 'bondMin', read: (text) => text },
  maxPrice: { key: 'priceMax', read: (text) => text },
  maxCost: { key: 'costMax', read: (text) => text },
}

/** `module`: where the module is, when it was given as bytes. Throws a ControlError BAD_SPEC. */
export function jobSpecOf(spec: RunSpec, module: string | undefined): JobSpec {
  const { stdin, out, inputs, module: _module, image, ...others } = spec
  return parsed(jobSpecSchema, {
    ...plain(others),
    ...(module === undefined ? {} : { module: resolve(module) }),
    ...(image === undefined ? {} : { image: isImageReference(image) ? image : resolve(image) }),
    ...(inputs === undefined
      ? {}
      : { inputs: inputs.map((input) => withPath(typeof input === 'string' ? { path: input } : input)) }),
    ...(stdin === undefined ? {} : { stdin: resolve(stdin) }),
    ...(out === undefined ? {} : { out: resolve(out) }),
  })
}

/** Throws a ControlError BAD_SPEC. */
export function wishOf(wish: ProviderWish): OfferWish {
  return parsed(offerWishSchema, plain(wish))
}

/** The path of a module that is not given as bytes. */
export function modulePath(module: string | URL): string {
  return typeof module === 'string' ? module : fileURLToPath(module)
}

function withPath<Input extends { readonly path: string }>(input: Input): Input {
  return { ...input, path: resolve(input.path) }
}

/** The words read, and what is undefined left out, as whoever builds an object often has it. */
function plain(spec: object): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(spec)) {
    if (value === undefined) continue
    const word = Object.hasOwn(words, name) ? words[name as keyof Words] : undefined
    const key = word?.key ?? name
    if (Object.hasOwn(result, key)) throw bad(`${name} says again what ${key} says`)
    try {
      result[key] = word === undefined ? value : word.read(String(value))
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw bad(`${name}: ${error.message}`)
    }
  }
  return result
}

/** A number is milliseconds. */
function durationMs(text: string): number {
  return /^\d+$/.test(text) ? Number(text) : parseDurationMs(text)
}

function parsed<Output>(schema: typeof jobSpecSchema | typeof offerWishSchema, value: unknown): Output {
  const result = schema.safeParse(value)
  if (result.success) return result.data as Output
  throw bad(describeProblem(result.error.issues, schema))
}

function bad(why: string): ControlError {
  return new ControlError({
    code: 'BAD_SPEC',
    what: 'the job is not understood',
    why,
    cure: 'see RunSpec of pleach for what it takes',
    exit: 2,
  })
}
