/** Flags that say what a provider must have: the same for `run` and for `offers`. */
import { parseBytes, parseCpuMilli, parseDurationMs, parseMicro } from '../config/quantities.ts'
import type { OfferWish } from '../control/api.ts'
import type { Flags, FlagValues } from './command.ts'
import { usage } from './problem.ts'
import { quantityFlag } from './quantity-flag.ts'

export const wishFlags = {
  cpu: { type: 'text', placeholder: 'N', about: 'processors, such as 2 or 500m (default 1)' },
  memory: { type: 'text', placeholder: 'SIZE', about: 'memory, such as 512Mi (the default)' },
  disk: { type: 'text', placeholder: 'SIZE', about: 'disk space, such as 1Gi (the default)' },
  timeout: { type: 'text', placeholder: 'TIME', about: 'longest run, such as 10m (the default)' },
  'max-price': { type: 'text', placeholder: 'AMOUNT', about: 'the most for one processor for one hour' },
  arch: { type: 'text', placeholder: 'NAME', about: 'processor, as uname -m says, such as x86_64' },
  feature: { type: 'list', placeholder: 'NAME', about: 'what its instructions can do, such as avx2' },
  gpus: { type: 'text', placeholder: 'N', about: 'GPUs, all of one kind' },
  'gpu-mem': { type: 'text', placeholder: 'SIZE', about: 'memory of each GPU, such as 24G' },
  'gpu-model': { type: 'text', placeholder: 'TEXT', about: 'part of its name, such as 4090' },
  region: { type: 'list', placeholder: 'NAME', about: 'where: eu, or de; any of them when repeated' },
  runtime: { type: 'text', placeholder: 'NAME', about: 'wasi-preview1, or oci for images' },
  isolation: { type: 'text', placeholder: 'NAME', about: 'what contains the program, such as bubblewrap' },
  tee: { type: 'text', placeholder: 'NAME', about: 'an enclave, such as sev-snp' },
  evidence: {
    type: 'text',
    placeholder: 'WORD',
    about: 'claimed, measured or challenged: the least for what is asked',
  },
  egress: { type: 'switch', about: 'the program is to reach the network' },
  'min-bond': { type: 'text', placeholder: 'AMOUNT', about: 'what the provider owes if a fault of it is proven' },
  rtt: { type: 'text', placeholder: 'TIME', about: 'longest way there and back, such as 50ms' },
  standing: { type: 'text', placeholder: 'N', about: 'what we must think of the provider, 0 to 1' },
  allow: { type: 'list', placeholder: 'PEER', about: 'this provider and no other' },
  deny: { type: 'list', placeholder: 'PEER', about: 'not this provider' },
} as const satisfies Flags

/** What they say, and nothing for those that were not given. Throws a ConfigError USAGE. */
export function wishOf(flags: FlagValues<typeof wishFlags>): OfferWish {
  const values = {
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
    runtime: oneOf('--runtime', flags.runtime, ['wasi-preview1', 'oci']),
    isolation: flags.isolation,
    tee: flags.tee,
    evidence: oneOf('--evidence', flags.evidence, ['claimed', 'measured', 'challenged']),
    egress: flags.egress ? true : undefined,
    rttMs: quantityFlag('--rtt', flags.rtt, parseDurationMs),
    standingMin: quantityFlag('--standing', flags.standing, parseShare),
    allow: flags.allow.length === 0 ? undefined : flags.allow,
    deny: flags.deny.length === 0 ? undefined : flags.deny,
    bondMin: amount('--min-bond', flags['min-bond']),
    priceMax: amount('--max-price', flags['max-price']),
  }
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
}

export function amount(flag: string, text: string | undefined): string | undefined {
  if (text === undefined || parseMicro(text) !== undefined) return text
  throw usage(
    `${flag} ${text.slice(0, 60)} cannot be used`,
    'an amount is a decimal number of at most six places',
    `${flag} 1.5`,
  )
}

export function oneOf(flag: string, text: string | undefined, words: readonly string[]): string | undefined {
  if (text === undefined || words.includes(text)) return text
  throw usage(`${flag} ${text.slice(0, 60)} cannot be used`, `there are ${words.join(', ')}`, `${flag} ${words[0]}`)
}

function parseShare(text: string): number {
  if (/^(0?\.\d{1,6}|[01](\.0{1,6})?)$/.test(text)) return Number(text)
  throw new RangeError('it is a number from 0 to 1, such as 0.5')
}

export function parseCount(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new RangeError('it is a whole number')
}
