/**
 * The course of a job on stderr: who offers, and when what was reached, counted from the bid. The marks of one job share a
 * line for as long as nothing else is written between them.
 */
import { relative } from 'node:path'

import { formatMicro, parseMicro } from '../config/quantities.ts'
import type { JobSpec, JobStreamEvent, JobView, ReceiptView } from '../control/api.ts'
import { safe } from './escape.ts'
import { count, cpu, gas, healthText, memory, seconds, shortJob, shortLease, size, span, stopwatch } from './format.ts'
import type { Terminal } from './terminal.ts'

type EventOf<Type extends JobStreamEvent['type']> = Extract<JobStreamEvent, { type: Type }>

/** Where the time of the bid stands, so that it is found. */
const bidChars = 53

export class Timeline {
  readonly #terminal: Terminal
  readonly #spec: JobSpec
  #job = ''
  #self: string | undefined
  #startMs: number | undefined
  #offers: EventOf<'offer'>[] = []
  #marks: string[] = []
  #lastProgress: EventOf<'progress'> | undefined

  constructor(terminal: Terminal, spec: JobSpec) {
    this.#terminal = terminal
    this.#spec = spec
  }

  on(event: JobStreamEvent): void {
    switch (event.type) {
      case 'job':
        this.#job = event.job.id
        this.#self = event.job.requester?.peer
        return
      case 'bid':
        return this.#onBid(event)
      case 'offer':
        this.#offers.push(event)
        return
      case 'matched':
        return this.#onMatched(event)
      case 'staged':
        return this.#mark('staged', event.atMs)
      case 'running':
        this.#mark('running', event.atMs)
        // Where lines cannot be rewritten, a long silence should at least begin with this.
        if (!this.#terminal.isLive) this.flush()
        return
      case 'progress':
        return this.#onProgress(event)
      case 'collected':
        return this.#mark('verified', event.atMs)
      case 'replacing':
        return this.#onReplacing(event)
      case 'checking':
      case 'checked':
        return this.#onCheck(event)
      case 'log':
      case 'result':
      case 'receipt':
      case 'end':
        return
      default:
        // A newer peer may tell more than we know.
        event satisfies never
    }
  }

  /** Writes what is marked so far as a line; called before anything else is written. */
  flush(): void {
    if (this.#marks.length === 0) return
    this.#terminal.note(`  ${this.#marks.join('  ')}`)
    this.#marks = []
  }

  /** The last lines: what came back, what it cost, who signed. */
  finish(job: JobView, receipt: ReceiptView | undefined): void {
    const used = job.gas === undefined ? '' : `gas ${gas(job.gas)}  `
    const cost = `${used}cost ${safe(job.cost, 20)}${this.#unspent(job.cost)}`
    if (job.outputFiles === 0) {
      this.#marks.push(cost)
      this.flush()
    } else {
      this.flush()
      const where = job.out === null ? 'kept by the peer' : `${safe(relative('', job.out) || '.', 400)}/`
      const files = `${count(job.outputFiles, 'file')} ${size(job.outputBytes)}`
      this.#terminal.note(`out ${where} ${files}  verified  ${cost}`)
    }
    if (job.outcome !== undefined) this.#terminal.note(`outcome ${safe(job.outcome, 80)}  the same at every provider`)
    if (job.exitCode !== null && job.exitCode !== 0) this.#terminal.note(`the program exited with ${job.exitCode}`)
    if (receipt !== undefined) {
      const signed = receipt.bothSigned === receipt.receipts ? 'signed by both' : 'not yet signed by both'
      const lease = shortLease(receipt.lease)
      this.#terminal.note(`receipt ${lease}…  ${signed} - pleach receipt verify ${lease}`)
    }
  }

  #onBid(event: EventOf<'bid'>): void {
    this.flush()
    this.#offers = []
    this.#startMs ??= event.atMs
    const wants = `${cpu(event.cpuMilli)} ${memory(event.memoryBytes)}, at most ${span(event.wallMs)}`
    const line = `bid ${shortJob(this.#job)}  ${wants}`
    this.#terminal.note(`${line.padEnd(bidChars)}${this.#since(event.atMs)}`)
  }

  #onMatched({ peer, atMs }: EventOf<'matched'>): void {
    const chosen = this.#offers.find((offer) => offer.peer.peer === peer.peer)
    if (chosen !== undefined) {
      const others = this.#offers
        .filter((offer) => offer !== chosen)
        .toSorted((left, right) => (parseMicro(left.estimate) ?? Infinity) - (parseMicro(right.estimate) ?? Infinity))
      const next = others.length === 0 ? '' : ` (next ${estimated(others[0]!)})`
      this.#terminal.note(`  ${count(this.#offers.length, 'offer')}; best ${estimated(chosen)}${next}`)
    }
    this.#mark('matched', atMs)
  }

  #onProgress(event: EventOf<'progress'>): void {
    if (!this.#terminal.isLive) return
    this.flush()
    const last = this.#lastProgress
    const wallMs = event.wallMs - (last?.wallMs ?? 0)
    const cpuMs = event.cpuMs - (last?.cpuMs ?? 0)
    this.#lastProgress = event
    const load = wallMs <= 0 ? '' : `  cpu ${Math.round((cpuMs / wallMs) * 100)} %`
    const well = event.health === undefined ? '' : `, ${healthText(event.health)}`
    const counted = event.gas === 0 ? '' : `  gas ${gas(event.gas)}`
    const used = `${safe(event.stage, 20)}${well} ${stopwatch(event.wallMs)}${load}  mem ${memory(event.memoryBytes)}${counted}`
    this.#terminal.live(`${used}          (Ctrl-C detaches; pleach cancel ${shortJob(this.#job)} stops)`)
  }

  #onReplacing({ peer, code, facts }: EventOf<'replacing'>): void {
    this.flush()
    this.#lastProgress = undefined
    const said = Object.entries(facts).map(([name, value]) => `${safe(name, 40)} ${safe(String(value), 60)}`)
    const why = [safe(code, 48), ...said].join(', ')
    this.#terminal.note(`  ${safe(peer.petname, 40)} is replaced: ${why}`)
  }

  #onCheck({ type, peer, by: other, same }: EventOf<'checking' | 'checked'>): void {
    this.flush()
    const by = other === null ? null : other.peer === this.#self ? 'this machine' : safe(other.petname, 40)
    this.#terminal.note(`  ${checkLine(safe(peer.petname, 40), by, type === 'checking' ? undefined : same)}`)
  }

  #mark(word: string, atMs: number): void {
    this.#marks.push(`${word} ${this.#since(atMs)}`)
    this.#terminal.live(`  ${this.#marks.join('  ')}`)
  }

  #since(atMs: number): string {
    return seconds(atMs - (this.#startMs ?? atMs))
  }

  #unspent(cost: string): string {
    const [most, spent] = [parseMicro(this.#spec.costMax ?? ''), parseMicro(cost)]
    return most === undefined || spent === undefined || spent > most ? '' : ` (${formatMicro(most - spent)} unspent)`
  }
}

/** `same` undefined: it is under way. */
function checkLine(peer: string, by: string | null, same: boolean | null | undefined): string {
  if (by === null) return `${peer} is new to us, and nobody whom we know offered to do the same: it is not compared`
  if (same === undefined) return `${peer} is new to us: ${by} does the same, to compare`
  if (same === null) return `what ${peer} and ${by} make of it could not be compared`
  return same
    ? `${peer} and ${by} made the same of it`
    : `${peer} made something else of it than ${by}: what it made is not taken`
}

function estimated({ peer, estimate }: EventOf<'offer'>): string {
  return `${safe(peer.petname, 40)} ${safe(estimate, 20)}`
}
