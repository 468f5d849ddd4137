/**
 * Quantities and durations as people type them: Kubernetes' for processors and bytes (`500m`, `2`, `512Mi`, `20G`), and
 * `30s`, `5m`, `1h30m` for times. Exact, by integers; what does not come out whole is rounded up, as Kubernetes does.
 *
 * Each function throws a RangeError whose message says what to write instead.
 */
export { formatMicro, parseMicro } from '../../protocols/wire/amount.ts'

const decimalPattern = /^(\d{1,18})(?:\.(\d{1,9}))?(?:e(\d{1,2}))?$/
const suffixPattern = /^([\d.]+(?:e\d+)?)([A-Za-z]*)$/

const byteSuffixes: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 10n ** 3n,
  M: 10n ** 6n,
  G: 10n ** 9n,
  T: 10n ** 12n,
  P: 10n ** 15n,
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
}

const durationUnits: Readonly<Record<string, bigint>> = {
  ms: 1n,
  s: 1_000n,
  m: 60_000n,
  h: 3_600_000n,
  d: 86_400_000n,
}

/** `500m` is 500, `2` is 2000, `1.5` is 1500. */
export function parseCpuMilli(text: string): number {
  const [number, suffix] = split(text)
  const perUnit = suffix === '' ? 1_000n : suffix === 'm' ? 1n : undefined
  const milli = perUnit === undefined ? undefined : scaled(number, perUnit)
  if (milli === undefined) throw new RangeError(`${shown(text)} is not a number of processors: write 2, 0.5 or 500m`)
  return milli
}

/** `512Mi`, `20G`, `1.5Gi`, `1048576`. */
export function parseBytes(text: string): number {
  const [number, suffix] = split(text)
  const perUnit = Object.hasOwn(byteSuffixes, suffix) ? byteSuffixes[suffix] : undefined
  const bytes = perUnit === undefined ? undefined : scaled(number, perUnit)
  if (bytes === undefined) throw new RangeError(`${shown(text)} is not a number of bytes: ${byteCure(suffix)}`)
  return bytes
}

/** Instructions: `20G`, `1.5T`, `1000000`. By thousands only: nobody counts them by 1024. */
export function parseGas(text: string): number {
  const [number, suffix] = split(text)
  const perUnit = Object.hasOwn(byteSuffixes, suffix) && !suffix.endsWith('i') ? byteSuffixes[suffix] : undefined
  const gas = perUnit === undefined ? undefined : scaled(number, perUnit)
  if (gas === undefined || gas === 0) throw new RangeError(`${shown(text)} is not a number of instructions: write 20G`)
  return gas
}

/** Bytes per second: `10MB/s`, `1.5MiB/s`, `80Mbit/s`. */
export function parseRate(text: string): number {
  const found = /^(\S+?)(B|bit)\/s$/.exec(text.trim())
  const [number, prefix] = split(found?.[1] ?? '')
  const perUnit = Object.hasOwn(byteSuffixes, prefix) ? byteSuffixes[prefix] : undefined
  const rate = found === null || perUnit === undefined ? undefined : scaled(number, perUnit)
  if (rate === undefined) throw new RangeError(`${shown(text)} is not a rate: write 10MB/s, 1.5MiB/s or 80Mbit/s`)
  return found?.[2] === 'bit' ? Math.ceil(rate / 8) : rate
}

/** Milliseconds: `30s`, `5m`, `2h`, `250ms`, `1h30m`. A number alone is refused: it says not of what. */
export function parseDurationMs(text: string): number {
  const trimmed = text.trim()
  const parts = [...trimmed.matchAll(/(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)/g)]
  let totalMs = 0
  let lastUnit: bigint | undefined
  for (const [, number, unit] of parts) {
    const unitMs = durationUnits[unit!]!
    const ms = scaled(number!, unitMs)
    // Falling units only, so that 5m2h is not taken for something it may not mean.
    if (ms === undefined || (lastUnit !== undefined && unitMs >= lastUnit)) throw notADuration(text)
    lastUnit = unitMs
    totalMs += ms
  }
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== trimmed) throw notADuration(text)
  if (!Number.isSafeInteger(totalMs)) throw notADuration(text)
  return totalMs
}

function notADuration(text: string): RangeError {
  const isBare = /^[\d.]+$/.test(text.trim())
  const cure = isBare ? `write ${text.trim()}s, ${text.trim()}m or ${text.trim()}h` : 'write 30s, 5m, 2h or 1h30m'
  return new RangeError(`${shown(text)} is not a duration: ${cure}`)
}

function split(text: string): [number: string, suffix: string] {
  const found = suffixPattern.exec(text.trim())
  return found === null ? ['', '?'] : [found[1]!, found[2]!]
}

/** `number × perUnit`, rounded up; undefined when it is no number, or too large to be exact. */
function scaled(number: string, perUnit: bigint): number | undefined {
  const found = decimalPattern.exec(number)
  if (found === null) return undefined
  const [, whole, fraction = '', exponent = '0'] = found
  const numerator = BigInt(`${whole}${fraction}`) * perUnit * 10n ** BigInt(exponent)
  const denominator = 10n ** BigInt(fraction.length)
  const value = (numerator + denominator - 1n) / denominator
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value)
}

/** The two suffixes that people most often mistake are answered by name. */
function byteCure(suffix: string): string {
  if (suffix === 'm') return 'm is a thousandth; write M (millions) or Mi (mebibytes)'
  if (/^[kmgtp]i?b?$/i.test(suffix)) {
    const letter = suffix[0]!.toUpperCase()
    return `write ${letter === 'K' ? 'k' : letter} for powers of 1000 or ${letter}i for powers of 1024`
  }
  return 'write 512Mi, 20G or a number'
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text)
}
