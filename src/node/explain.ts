/**
 * Why nobody took a job: every known provider under the first thing that speaks against it, in the order of the requirements; with
 * what would have to give for it to pass.
 */
import { lacksOf, needs, type Need } from '../../protocols/bid/index.ts'
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { Quote } from '../../protocols/inquire/index.ts'
import { describeFacts, formatMicro, type PeerName, type Refusal } from '../../protocols/wire/index.ts'
import type { MatchExplanation, ProviderVerdict } from '../control/api.ts'
import { lackRefusal, wordOf } from '../market/decline.ts'
import type { Acquaint } from '../market/rank.ts'
import type { JobTerms } from '../market/terms.ts'
import { objectionsTo, type Objection } from '../market/wishes.ts'
import { peerView } from './views.ts'

export interface Circumstances {
  readonly known: readonly KnownCapability[]
  /** Those that are connected, or could be. */
  isReachable(peer: PeerName): boolean
  readonly acquaint: Acquaint
  /** What those said that were asked why they made no offer. */
  readonly declined: ReadonlyMap<PeerName, Refusal>
  /** How many offers there were. */
  readonly answered: number
  readonly nowMs: number
}

type Aspect = Need | Objection

interface Reason {
  readonly aspect: Aspect
  readonly wanted: number | string
  readonly has: number | string
}

interface Candidate {
  readonly peer: PeerName
  readonly reasons: readonly Reason[]
}

/** Wishes come first: whom the owner does not want need not be measured. */
const aspects: readonly Aspect[] = ['allow', 'deny', 'standing', 'cooling', 'rtt', ...needs]

export function explainNoMatch(terms: JobTerms, circumstances: Circumstances): MatchExplanation {
  const { known, declined, answered } = circumstances
  const isReachable = (peer: PeerName): boolean => circumstances.isReachable(peer)
  const candidates = known.map((record) => ({
    peer: record.peer,
    reasons: reasonsAgainst(terms, record, circumstances),
  }))
  const rows = aspects.flatMap((aspect) => rowOf(aspect, candidates) ?? [])
  const passing = candidates.filter(({ reasons }) => reasons.length === 0).map(({ peer }) => peer)
  const silent = passing.filter((peer) => !isReachable(peer))
  const said = new Map<string, number>()
  for (const peer of passing) {
    const refusal = declined.get(peer)
    if (refusal === undefined || silent.includes(peer)) continue
    const word = wordOf(refusal)
    said.set(word, (said.get(word) ?? 0) + 1)
  }
  return {
    known: known.length,
    reachable: known.filter(({ peer }) => isReachable(peer)).length,
    excluded: rows,
    silent: silent.length,
    declined: [...said]
      .map(([reason, count]) => ({ reason, count }))
      .toSorted((left, right) => right.count - left.count),
    unexplained: passing.length - silent.length - [...said.values()].reduce((sum, count) => sum + count, 0),
    nearest: nearestOf(candidates),
    answered,
  }
}

/** What its record lacks, in words and with the code of the first; undefined when it fits. */
export function recordVerdict(
  terms: JobTerms,
  record: KnownCapability,
  circumstances: Pick<Circumstances, 'acquaint' | 'nowMs'>,
): ProviderVerdict | undefined {
  const reasons = reasonsAgainst(terms, record, circumstances)
  const [first] = reasons
  if (first === undefined) return undefined
  const { aspect, wanted, has } = first
  const code = isNeed(aspect) ? lackRefusal({ need: aspect, wanted, has }).code : null
  return { ...peerView(record.peer), verdict: 'lacks', code, reasons: reasons.map(shortfall) }
}

/** What came of a provider that fits, by its own word. */
export function quoteVerdict(peer: PeerName, { heard, now }: Pick<Quote, 'heard' | 'now'>): ProviderVerdict {
  const today = now.offers ? `would take it now at ${amount(now.cpuHourMicro)}/h` : `now: ${saidWords(now.because)}`
  const view = peerView(peer)
  if (heard === null) {
    const code = now.offers ? null : now.because.code
    return { ...view, verdict: 'unheard', code, reasons: ['did not hear of it', today] }
  }
  if (heard.offered) return { ...view, verdict: 'offered', code: null, reasons: ['offered, and was not taken', today] }
  return { ...view, verdict: 'declined', code: heard.because.code, reasons: [saidWords(heard.because), today] }
}

/** Enough for a word and two facts; it is a stranger's. */
const saidCharsMax = 120

function saidWords(because: Refusal): string {
  return `${wordOf(because)}${describeFacts(because.facts)}`.slice(0, saidCharsMax)
}

const isNeed = (aspect: Aspect): aspect is Need => (needs as readonly string[]).includes(aspect)

/** All that speaks against a provider, the first of which it is counted under. */
function reasonsAgainst(
  terms: JobTerms,
  { peer, capability }: KnownCapability,
  { acquaint, nowMs }: Pick<Circumstances, 'acquaint' | 'nowMs'>,
): Reason[] {
  const objections = objectionsTo(terms.wishes, peer, acquaint(peer, terms.requirements.runtime))
  return [
    ...objections.map(({ objection, wanted, has }) => ({ aspect: objection, wanted, has })),
    ...lacksOf(terms, capability, nowMs).map(({ need, wanted, has }) => ({ aspect: need, wanted, has })),
  ]
}

function rowOf(aspect: Aspect, candidates: readonly Candidate[]): MatchExplanation['excluded'][number] | undefined {
  const first = candidates.filter(({ reasons }) => reasons[0]?.aspect === aspect)
  const [example] = first
  if (example === undefined) return undefined
  const only = candidates.filter(({ reasons }) => reasons.length === 1 && reasons[0]!.aspect === aspect)
  const nearest = only.map(({ reasons }) => reasons[0]!).toSorted((left, right) => distance(left) - distance(right))[0]
  return {
    requirement: nameOf(example.reasons[0]!),
    count: first.length,
    onlyThis: only.length,
    relax: nearest === undefined ? null : flagFor(nearest),
  }
}

function nearestOf(candidates: readonly Candidate[]): MatchExplanation['nearest'] {
  const excluded = candidates.filter(({ reasons }) => reasons.length > 0)
  const far = ({ reasons }: Candidate): number => reasons.length + Math.min(0.99, distance(reasons[0]!))
  const [nearest] = excluded.toSorted((left, right) => far(left) - far(right))
  return nearest === undefined ? null : { ...peerView(nearest.peer), reasons: nearest.reasons.map(shortfall) }
}

/** How far from passing, as a share of what is wanted; words are as far as can be. */
function distance({ wanted, has }: Reason): number {
  return typeof wanted === 'number' && typeof has === 'number' ? Math.abs(wanted - has) / Math.max(1, wanted) : 1
}

const mib = 2 ** 20
const bytesText = (bytes: number | string): string => {
  const mebibytes = Math.ceil(Number(bytes) / mib)
  return mebibytes > 0 && mebibytes % 1_024 === 0 ? `${mebibytes / 1_024}Gi` : `${mebibytes}Mi`
}
const cpus = (milli: number | string): string => String(Number(milli) / 1_000)
const seconds = (ms: number | string): string => `${Math.ceil(Number(ms) / 1_000)}s`
const amount = (micro: number | string): string => formatMicro(Number(micro))
const words = (text: number | string): string => String(text)

/** How each aspect is shown, and the flag that says it. */
const shows: Readonly<
  Record<
    Aspect,
    {
      readonly name: string
      readonly sign: '>=' | '<=' | '=' | ''
      readonly show: (value: number | string) => string
      readonly flag: string | null
    }
  >
> = {
  allow: { name: 'allowed', sign: '', show: () => '', flag: null },
  deny: { name: 'not denied', sign: '', show: () => '', flag: null },
  standing: { name: 'standing', sign: '>=', show: words, flag: '--standing' },
  cooling: { name: 'no fault of late', sign: '', show: () => '', flag: null },
  rtt: { name: 'rtt', sign: '<=', show: (ms) => `${ms}ms`, flag: '--rtt' },
  runtime: { name: 'runtime', sign: '', show: words, flag: null },
  isolation: { name: 'isolation', sign: '=', show: words, flag: '--isolation' },
  arch: { name: 'arch', sign: '=', show: words, flag: '--arch' },
  features: { name: 'feature', sign: '', show: words, flag: null },
  'gpu-model': { name: 'gpu', sign: '=', show: words, flag: null },
  'gpu-memory': { name: 'gpu-mem', sign: '>=', show: bytesText, flag: '--gpu-mem' },
  gpus: { name: 'gpus', sign: '>=', show: words, flag: '--gpus' },
  tee: { name: 'tee', sign: '=', show: words, flag: null },
  region: { name: 'region', sign: '=', show: (text) => words(text).replaceAll(' ', ','), flag: '--region' },
  egress: { name: 'egress', sign: '', show: () => '', flag: null },
  cpu: { name: 'cpu', sign: '>=', show: cpus, flag: '--cpu' },
  memory: { name: 'memory', sign: '>=', show: bytesText, flag: '--memory' },
  disk: { name: 'disk', sign: '>=', show: bytesText, flag: '--disk' },
  time: { name: 'time', sign: '>=', show: seconds, flag: '--timeout' },
  evidence: { name: 'evidence', sign: '>=', show: words, flag: '--evidence' },
  unit: { name: 'unit', sign: '=', show: words, flag: null },
  price: { name: 'price', sign: '<=', show: (micro) => `${amount(micro)}/h`, flag: '--max-price' },
  hours: { name: 'hours', sign: '>=', show: seconds, flag: '--timeout' },
  free: { name: 'free cpu', sign: '>=', show: cpus, flag: null },
}

/** `cpu >= 8`. */
function nameOf({ aspect, wanted }: Reason): string {
  const { name, sign, show } = shows[aspect]
  return [name, sign, show(wanted)].filter((part) => part !== '').join(' ')
}

/** `cpu (4 < 8)`, `region (de, not eu)`. */
function shortfall({ aspect, wanted, has }: Reason): string {
  const { name, sign, show } = shows[aspect]
  const [shown, needed] = [show(has), show(wanted)]
  if (needed === '') return name
  if (sign === '>=' || sign === '<=') return `${name} (${shown} ${sign === '>=' ? '<' : '>'} ${needed})`
  return `${name} (${shown === '' ? 'none' : shown}, not ${needed})`
}

/** The flag with which it would pass, to be pasted; null when there is none, or when it would be for nothing. */
function flagFor({ aspect, wanted, has }: Reason): string | null {
  const { flag, show } = shows[aspect]
  if (flag === null || has === 0 || has === '') return null
  switch (aspect) {
    // Nearest below is what may be asked for, of a price and a way there nearest above.
    case 'memory':
    case 'disk':
    case 'gpu-memory':
      return `${flag} ${bytesText(Math.floor(Number(has) / mib) * mib)}`
    case 'time':
    case 'hours':
      return `${flag} ${Math.floor(Number(has) / 1_000)}s`
    case 'price':
      return `${flag} ${amount(has)}`
    case 'region':
      return `${flag} ${show(wanted)},${has}`
    case 'standing':
      return `${flag} ${Math.floor(Number(has) * 100) / 100}`
    default:
      return `${flag} ${show(has)}`
  }
}
