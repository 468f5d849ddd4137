/** What `pleach run` was told, as a job: the file's word first, then the flags', which are stronger. Paths become absolute. */
import { resolve } from 'node:path'

import { parseInput } from '../config/job-input.ts'
import { parseBytes, parseCpuMilli, parseDurationMs, parseMicro } from '../config/quantities.ts'
import type { JobSpec } from '../control/api.ts'
import type { Flags, FlagValues } from './command.ts'
import { usage } from './problem.ts'
import { quantityFlag } from './quantity-flag.ts'

export const runFlags = {
  file: { type: 'text', short: 'f', placeholder: 'FILE', about: 'the job, as YAML; flags count more' },
  in: { type: 'list', placeholder: 'PATH[:GUEST]', about: 'a file or folder; the program sees /in/NAME, or GUEST' },
  out: { type: 'text', placeholder: 'DIR', about: 'where what the program writes to /out is put' },
  env: { type: 'list', placeholder: 'K=V', about: 'a variable of the program' },
  stdin: { type: 'text', placeholder: 'FILE', about: "the program's standard input; - is ours" },
  cpu: { type: 'text', placeholder: 'N', about: 'processors, such as 2 or 500m (default 1)' },
  memory: { type: 'text', placeholder: 'SIZE', about: 'memory, such as 512Mi (the default)' },
  disk: { type: 'text', placeholder: 'SIZE', about: 'disk space, such as 1Gi (the default)' },
  timeout: { type: 'text', placeholder: 'TIME', about: 'longest run, such as 10m (the default)' },
  'max-cost': { type: 'text', placeholder: 'AMOUNT', about: 'the most to pay for all of it' },
  'max-price': { type: 'text', placeholder: 'AMOUNT', about: 'the most for one processor for one hour' },
  arch: { type: 'text', placeholder: 'NAME', about: 'processor, as uname -m says, such as x86_64' },
  feature: { type: 'list', placeholder: 'NAME', about: 'what its instructions can do, such as avx2' },
  gpus: { type: 'text', placeholder: 'N', about: 'GPUs, all of one kind' },
  'gpu-mem': { type: 'text', placeholder: 'SIZE', about: 'memory of each GPU, such as 24G' },
  'gpu-model': { type: 'text', placeholder: 'TEXT', about: 'part of its name, such as 4090' },
  region: { type: 'list', placeholder: 'NAME', about: 'where: eu, or de; any of them when repeated' },
  isolation: { type: 'text', placeholder: 'NAME', about: 'what contains the program, such as bubblewrap' },
  tee: { type: 'text', placeholder: 'NAME', about: 'an enclave, such as sev-snp' },
  evidence: {
    type: 'text',
    placeholder: 'WORD',
    about: 'claimed, measured or challenged: the least for what is asked',
  },
  egress: { type: 'switch', about: 'the program is to reach the network' },
  rtt: { type: 'text', placeholder: 'TIME', about: 'longest way there and back, such as 50ms' },
  standing: { type: 'text', placeholder: 'N', about: 'what we must think of the provider, 0 to 1' },
  allow: { type: 'list', placeholder: 'PEER', about: 'this provider and no other' },
  deny: { type: 'list', placeholder: 'PEER', about: 'not this provider' },
  nodes: { type: 'text', placeholder: 'N', about: 'providers at the same time, all or none' },
  spread: { type: 'text', placeholder: 'BY', about: 'subnet or operator: each node on another' },
  code: { type: 'text', placeholder: 'K+M', about: 'how inputs and outputs are coded, such as 4+2' },
  wait: { type: 'text', placeholder: 'TIME', about: 'how long to wait for a provider' },
  retries: { type: 'text', placeholder: 'N', about: 'how many other providers to try when one fails' },
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
  const path = module === undefined ? spec.module : resolve(module)
  if (path === undefined)
    throw usage('pleach run needs MODULE', 'neither it nor -f FILE was given', 'pleach run --help')
  return { ...spec, module: path }
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
    stdin,
    out: flags.out === undefined ? undefined : resolve(flags.out),
    cpuMilli: quantityFlag('--cpu', flags.cpu, parseCpuMilli),
    memoryBytes: quantityFlag('--memory', flags.memory, parseBytes),
    diskBytes: quantityFlag('--disk', flags.disk, parseBytes),
    wallMs: quantityFlag('--timeout', flags.timeout, parseDurationMs),
    arch: flags.arch,
    features: flags.feature.length === 0 ? undefined : flags.feature,
    gpus: quantityFlag('--gpus', flags.gpus, parseCount),
    gpuMemoryBytes: quantityFlag('--gpu-mem', flags['gpu-mem'], parseBytes),
    gpuModel: flags['gpu-model'],
    regions: flags.region.length === 0 ? undefined : flags.region.flatMap((text) => text.split(',')),
    isolation: flags.isolation,
    tee: flags.tee,
    evidence: oneOf('--evidence', flags.evidence, ['claimed', 'measured', 'challenged']),
    egress: flags.egress ? true : undefined,
    rttMs: quantityFlag('--rtt', flags.rtt, parseDurationMs),
    standingMin: quantityFlag('--standing', flags.standing, parseShare),
    allow: flags.allow.length === 0 ? undefined : flags.allow,
    deny: flags.deny.length === 0 ? undefined : flags.deny,
    nodes: quantityFlag('--nodes', flags.nodes, parseCount),
    spread: oneOf('--spread', flags.spread, ['subnet', 'operator']),
    code: flags.code,
    priceMax: amount('--max-price', flags['max-price']),
    costMax: amount('--max-cost', flags['max-cost']),
    waitMs: quantityFlag('--wait', flags.wait, parseDurationMs),
    retries: quantityFlag('--retries', flags.retries, parseCount),
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
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

function amount(flag: string, text: string | undefined): string | undefined {
  if (text === undefined || parseMicro(text) !== undefined) return text
  throw usage(
    `${flag} ${text.slice(0, 60)} cannot be used`,
    'an amount is a decimal number of at most six places',
    `${flag} 1.5`,
  )
}

function oneOf(flag: string, text: string | undefined, words: readonly string[]): string | undefined {
  if (text === undefined || words.includes(text)) return text
  throw usage(`${flag} ${text.slice(0, 60)} cannot be used`, `there are ${words.join(', ')}`, `${flag} ${words[0]}`)
}

function parseShare(text: string): number {
  if (/^(0?\.\d{1,6}|[01](\.0{1,6})?)$/.test(text)) return Number(text)
  throw new RangeError('it is a number from 0 to 1, such as 0.5')
}

function parseCount(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new RangeError('it is a whole number')
}
