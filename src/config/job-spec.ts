/**
 * What may be asked of a peer as a job: one schema for the job file, the command line and the control interface. Its output
 * is the `JobSpec` of src/control/api.ts. Values are numbers in the unit that the key names, or quantities: `512Mi`, `10m`.
 */
import { z } from 'zod'

import { imageDigestPattern, portsMax } from '../../protocols/execute/container.ts'
import { describeIssue } from '../../protocols/execute/manifest.ts'
import { isPeerName } from '../../protocols/wire/peer.ts'
import { parseHealth } from './job-input.ts'
import { parseBytes, parseCpuMilli, parseDurationMs, parseGas, parseMicro } from './quantities.ts'

const pathCharsMax = 4096
const textCharsMax = 64 * 1024
const argsMax = 1024
const envMax = 256
const inputsMax = 64
const entrypointMax = 64
/** Providers of one job at the same time. */
export const nodesMax = 64

/** A feature of a processor, a region, a kind of enclave. */
const word = z.string().min(1).max(24)
const words = z.array(word).max(16)
const peersMax = 64
const peers = z.array(z.string().refine(isPeerName, 'is not the id of a peer: write 12D3KooW…')).max(peersMax)
const path = z.string().min(1).max(pathCharsMax)
const text = z.string().max(textCharsMax)

/** A number counts in the key's unit, and so does text of digits alone; any other text is a quantity. */
function quantity(parse: (text: string) => number) {
  return z.union([z.number(), z.string()]).transform((value, context) => {
    try {
      const number = typeof value === 'number' || /^\d+$/.test(value) ? Number(value) : parse(value)
      if (Number.isSafeInteger(number) && number >= 0) return number
      context.addIssue('is not a whole number')
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      context.addIssue(error.message)
    }
    return z.NEVER
  })
}

/** A job file gives every value as it was written. */
const truth = z.union([z.boolean(), z.enum(['true', 'false']).transform((written) => written === 'true')])

const amount = z.string().refine((written) => parseMicro(written) !== undefined, 'is not an amount: write 1.5')

/** The keys; whether they make a job is {@link oneProgram}'s to say. */
export const jobSpecKeys = z.strictObject({
  name: z.string().max(64).exactOptional(),
  module: path.exactOptional(),
  image: path.exactOptional(),
  imageDigest: z.string().regex(imageDigestPattern, 'is not a digest: write sha256:…').exactOptional(),
  entrypoint: z.array(text).min(1).max(entrypointMax).exactOptional(),
  args: z.array(text).max(argsMax).exactOptional(),
  env: z
    .record(z.string(), text)
    .refine((env) => Object.keys(env).length <= envMax, `has more than ${envMax} variables`)
    .exactOptional(),
  inputs: z
    .array(z.strictObject({ path, guestPath: path.exactOptional() }))
    .max(inputsMax)
    .exactOptional(),
  stdin: path.exactOptional(),
  out: path.exactOptional(),
  cpuMilli: quantity(parseCpuMilli).exactOptional(),
  memoryBytes: quantity(parseBytes).exactOptional(),
  diskBytes: quantity(parseBytes).exactOptional(),
  wallMs: quantity(parseDurationMs).exactOptional(),
  logBytes: quantity(parseBytes).exactOptional(),
  outputBytes: quantity(parseBytes).exactOptional(),
  gasMax: quantity(parseGas).pipe(z.int().min(1)).exactOptional(),
  deterministic: truth.exactOptional(),
  check: z.enum(['strangers', 'never']).exactOptional(),
  code: z.string().max(32).exactOptional(),
  priceMax: amount.exactOptional(),
  costMax: amount.exactOptional(),
  waitMs: quantity(parseDurationMs).exactOptional(),
  retries: quantity(parseCount).pipe(z.int().max(100)).exactOptional(),
  arch: word.exactOptional(),
  features: words.exactOptional(),
  gpus: quantity(parseCount).pipe(z.int().min(1).max(1_024)).exactOptional(),
  gpuMemoryBytes: quantity(parseBytes).exactOptional(),
  gpuVendor: word.exactOptional(),
  gpuModel: z.string().min(1).max(64).exactOptional(),
  regions: words.exactOptional(),
  type: z.enum(['job', 'service']).exactOptional(),
  ports: z
    .array(quantity(parseCount).pipe(z.int().min(1).max(65_535)))
    .max(portsMax)
    .exactOptional(),
  health: z
    .string()
    .max(600)
    .refine((written) => parseHealth(written) !== undefined, 'is not tcp:PORT or http:PORT/PATH')
    .exactOptional(),
  runtime: z.enum(['wasi-preview1', 'oci']).exactOptional(),
  isolation: word.exactOptional(),
  tee: word.exactOptional(),
  evidence: z.enum(['claimed', 'measured', 'challenged']).exactOptional(),
  egress: truth.exactOptional(),
  bondMin: amount.exactOptional(),
  rttMs: quantity(parseDurationMs).exactOptional(),
  standingMin: z.number().min(0).max(1).exactOptional(),
  allow: peers.exactOptional(),
  deny: peers.exactOptional(),
  spread: z.enum(['none', 'subnet', 'operator']).exactOptional(),
  nodes: quantity(parseCount).pipe(z.int().min(1).max(nodesMax)).exactOptional(),
})

/** A job runs either a module or an image. */
export function oneProgram<Schema extends z.ZodType<{ module?: string; image?: string }>>(schema: Schema): Schema {
  return schema
    .refine(({ module, image }) => module !== undefined || image !== undefined, {
      path: ['module'],
      message: 'is missing, and so is image',
    })
    .refine(({ module, image }) => module === undefined || image === undefined, {
      path: ['image'],
      message: 'there is a module already',
    })
}

export const jobSpecSchema = oneProgram(jobSpecKeys)

/** What a provider must have, without the job. */
export const offerWishSchema = jobSpecKeys.omit({
  name: true,
  module: true,
  image: true,
  imageDigest: true,
  entrypoint: true,
  type: true,
  ports: true,
  health: true,
  args: true,
  env: true,
  inputs: true,
  stdin: true,
  out: true,
  logBytes: true,
  outputBytes: true,
  gasMax: true,
  deterministic: true,
  check: true,
  code: true,
  waitMs: true,
  retries: true,
})

export type JobSpecInput = z.output<typeof jobSpecSchema>

/** The first thing wrong, in words. A key that is not one comes first: what seems missing is most often that, misspelt. */
export function describeProblem(issues: readonly z.core.$ZodIssue[], schema: z.ZodType): string {
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!
  return describeIssue(issue, schema).replace(/Invalid input: expected \w+, received undefined$/, 'is missing')
}

function parseCount(written: string): number {
  throw new RangeError(`${JSON.stringify(written.slice(0, 40))} is not a whole number`)
}
