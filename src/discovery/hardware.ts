/** What the machine is built of: what its processor can do, and its GPUs. Read once a process, by a library that knows many systems. */
import { access } from 'node:fs/promises'

import type { Gpu } from '../../protocols/capability/index.ts'
import type { Clock } from '../environment.ts'

export interface Hardware {
  readonly cpuModel: string
  /** Of what programs are compiled for; Linux's words. */
  readonly features: readonly string[]
  readonly gpus: readonly Gpu[]
  /** The enclave that this system is in, or could make; empty when there is none. */
  readonly tee: string
}

export const plainHardware: Hardware = { cpuModel: '', features: [], gpus: [], tee: '' }

/** What is worth knowing of a processor: a record has room for few words, and nobody asks for `fpu`. */
const telling: ReadonlySet<string> = new Set(
  (
    'sse4_2 avx avx2 fma f16c aes vaes sha_ni gfni bmi2 vpclmulqdq avx512f avx512bw avx512vl avx512_vnni avx512_bf16 ' +
    'avx512_fp16 avx_vnni amx_tile amx_int8 amx_bf16 asimd asimdhp sve sve2 i8mm bf16 sha2 sha3'
  ).split(' '),
)
const textCharsMax = 64
/** A system that answers later has something wrong with it. */
const readWithinMs = 4_000
const mib = 2 ** 20
/** Beyond this somebody has mixed up units. */
const gpuMemoryBytesMax = 2 ** 40
const gpusMax = 8

/** What is there to be opened where there is such an enclave. */
const enclaves: readonly (readonly [string, string])[] = [
  ['/dev/sev-guest', 'sev-snp'],
  ['/dev/tdx_guest', 'tdx'],
  ['/dev/sgx_enclave', 'sgx'],
]

let once: Promise<Hardware> | undefined

/** Never rejects: what cannot be read is not there. */
export async function readHardware(clock: Pick<Clock, 'deadline' | 'nowMs'>): Promise<Hardware> {
  return (once ??= read(clock))
}

async function read(clock: Pick<Clock, 'deadline' | 'nowMs'>): Promise<Hardware> {
  const { default: system } = await import('systeminformation')
  using deadline = clock.deadline(readWithinMs)
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  deadline.signal.addEventListener('abort', () => resolve(undefined), { once: true })
  const inTime = async <Value>(reading: Promise<Value>): Promise<Value | undefined> =>
    Promise.race([reading.catch(() => undefined), late])
  const [cpu, flags, graphics, tee] = await Promise.all([
    inTime(system.cpu()),
    inTime(system.cpuFlags()),
    inTime(system.graphics()),
    enclave(),
  ])
  return {
    cpuModel: plain(`${cpu?.manufacturer ?? ''} ${cpu?.brand ?? ''}`),
    features: [...new Set((flags ?? '').split(/\s+/).filter((flag) => telling.has(flag)))],
    gpus: gpusOf(graphics?.controllers ?? [], clock.nowMs()),
    tee,
  }
}

interface Controller {
  readonly vendor: string
  readonly model: string
  /** MiB; what the driver says is total comes first. */
  readonly vram: number | null
  readonly memoryTotal?: number
  readonly driverVersion?: string
}

/** Those that have memory of their own: a display adapter without does not compute. Equal ones are counted together. */
export function gpusOf(controllers: readonly Controller[], nowMs: number): Gpu[] {
  const found = new Map<string, Gpu>()
  for (const { vendor, model, vram, memoryTotal, driverVersion } of controllers) {
    const bytes = Math.round((memoryTotal ?? vram ?? 0) * mib)
    if (!(bytes > 0) || bytes > gpuMemoryBytesMax || plain(model) === '') continue
    const key = `${vendor}/${model}/${bytes}`
    const known = found.get(key)
    found.set(key, {
      vendor: plain(vendor),
      model: plain(model),
      memoryBytes: { value: bytes, evidence: 'measured', atMs: nowMs },
      count: (known?.count ?? 0) + 1,
      driver: plain(driverVersion ?? ''),
    })
  }
  return [...found.values()].slice(0, gpusMax)
}

/** Text of a driver or of firmware: it may hold anything. */
function plain(text: string): string {
  return text
    .replaceAll(/\p{Cc}/gu, ' ')
    .replaceAll(/ {2,}/g, ' ')
    .trim()
    .slice(0, textCharsMax)
}

async function enclave(): Promise<string> {
  for (const [path, kind] of enclaves) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    )
    if (isThere) return kind
  }
  return ''
}
