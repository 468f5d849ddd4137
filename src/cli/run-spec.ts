/** What `pleach run` was told, as a job: the file's word first, then the flags', which are stronger. Paths become absolute. */
import { resolve } from 'node:path'

import { isImageReference, parseInput } from '../config/job-input.ts'
import { parseDurationMs, parseGas } from '../config/quantities.ts'
import type { JobSpec } from '../control/api.ts'
import type { Flags, FlagValues } from './command.ts'
import { usage } from './problem.ts'
import { quantityFlag } from './quantity-flag.ts'
import { amount, oneOf, parseCount, wishFlags, wishOf } from './wish-flags.ts'

export const runFlags = {
  file: { type: 'text', short: 'f', placeholder: 'FILE', about: 'the job, as YAML; flags count more' },
  image: { type: 'text', placeholder: 'FILE', about: 'in the place of MODULE: an OCI archive, or NAME@sha256:…' },
  'image-digest': { type: 'text', placeholder: 'DIGEST', about: 'what its engine must call the image: sha256:…' },
  entrypoint: { type: 'list', placeholder: 'WORD', about: "in the place of the image's own (repeated for each word)" },
  port: { type: 'list', placeholder: 'PORT', about: 'a service: this port of it can be reached (pleach forward)' },
  health: {
    type: 'text',
    placeholder: 'CHECK',
    about: 'tcp:PORT or http:PORT/PATH must answer, or the service is ended',
  },
  in: { type: 'list', placeholder: 'PATH[:GUEST]', about: 'a file or folder; the program sees /in/NAME, or GUEST' },
  out: { type: 'text', placeholder: 'DIR', about: 'where what the program writes to /out is put' },
  env: { type: 'list', placeholder: 'K=V', about: 'a variable of the program' },
  stdin: { type: 'text', placeholder: 'FILE', about: "the program's standard input; - is ours" },
  ...wishFlags,
  'max-cost': { type: 'text', placeholder: 'AMOUNT', about: 'the most to pay for all of it' },
  nodes: { type: 'text', placeholder: 'N', about: 'providers at the same time, all or none' },
  spread: { type: 'text', placeholder: 'BY', about: 'subnet or operator: each node on another' },
  code: { type: 'text', placeholder: 'K+M', about: 'how inputs and outputs are coded, such as 4+2' },
  wait: { type: 'text', placeholder: 'TIME', about: 'how long to wait for a provider' },
  retries: { type: 'text', placeholder: 'N', about: 'how many other providers to try when one fails' },
  'gas-max': { type: 'text', placeholder: 'N', about: 'the most instructions, such as 20G' },
  deterministic: { type: 'switch', about: 'the same wherever it runs: time and chance come from the job' },
  check: { type: 'text', placeholder: 'WHOM', about: 'strangers (as a rule): their small work is compared; or never' },
  name: { type: 'text', placeholder: 'TEXT', about: 'what to call the job' },
  'dry-run': { type: 'switch', about: 'only what it would cost, and who could do it' },
} as const satisfies Flags

export type RunFlags = FlagValues<typeof runFlags>

export interface RunRequest {
  readonly flags: RunFlags
  readonly module: string | undefined
  /** Arguments of the program. */
  readonly args: readonly string[]
  /** What takes the place of `--stdin -`. */
  readonly stdinFile: string | undefined
}

/** Throws a ConfigError: USAGE for a flag, BAD_JOB_FILE for the file. */
export async function jobSpecOf({ flags, module, args, stdinFile }: RunRequest): Promise<JobSpec> {
  const spec = { ...(await fileSpec(flags.file)), ...given(flags, args, stdinFile) }
  // What is run is one word of the command line: it stands against both of the file's.
  const { module: fileModule, image: fileImage, ...others } = spec
  if (module !== undefined && flags.image !== undefined)
    throw usage('MODULE and --image cannot both be run', 'a job runs one of them', 'pleach run --image FILE -- ARGS')
  if (module !== undefined) return { ...others, module: resolve(module) }
  if (flags.image !== undefined)
    return { ...others, image: isImageReference(flags.image) ? flags.image : resolve(flags.image) }
  if (fileModule === undefined && fileImage === undefined)
    throw usage('pleach run needs MODULE', 'neither it nor --image nor -f FILE was given', 'pleach run --help')
  return spec
}

async function fileSpec(file: string | undefined): Promise<Partial<JobSpec>> {
  if (file === undefined) return {}
  const { readJobFile } = await import('../config/job-file.ts')
  return readJobFile(file)
}

/** What the flags say, and nothing for those that were not given. */
function given(flags: RunFlags, args: readonly string[], stdinFile: string | undefined): Partial<JobSpec> {
  const stdin = stdinFile ?? (flags.stdin === undefined ? undefined : resolve(flags.stdin))
  const values = {
    name: flags.name,
    args: args.length === 0 ? undefined : args,
    env: flags.env.length === 0 ? undefined : variables(flags.env),
    inputs: flags.in.length === 0 ? undefined : flags.in.map(absoluteInput),
    ports: flags.port.length === 0 ? undefined : flags.port.map((text) => quantityFlag('--port', text, parsePort)),
    health: flags.health,
    imageDigest: flags['image-digest'],
    entrypoint: flags.entrypoint.length === 0 ? undefined : flags.entrypoint,
    stdin,
    out: flags.out === undefined ? undefined : resolve(flags.out),
    ...wishOf(flags),
    nodes: quantityFlag('--nodes', flags.nodes, parseCount),
    spread: oneOf('--spread', flags.spread, ['subnet', 'operator']),
    code: flags.code,
    gasMax: quantityFlag('--gas-max', flags['gas-max'], parseGas),
    deterministic: flags.deterministic ? true : undefined,
    check: oneOf('--check', flags.check, ['strangers', 'never']),
    costMax: amount('--max-cost', flags['max-cost']),
    waitMs: quantityFlag('--wait', flags.wait, parseDurationMs),
    retries: quantityFlag('--retries', flags.retries, parseCount),
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return Number(text)
  throw new RangeError('write a number from 1 to 65535')
}

function absoluteInput(text: string) {
  const input = parseInput(text)
  return { ...input, path: resolve(input.path) }
}

function variables(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf('=')
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
      throw usage(`--env ${text.slice(0, 60)} cannot be used`, 'a variable has a name and a value', '--env NAME=VALUE')
    }),
  )
}
