/** How a run is going, for whoever waits for it: one line that is written anew on a terminal, a line now and then elsewhere. */
import type { ProcessSample } from './findings.ts'

/** Elsewhere than on a terminal. */
const lineEveryMs = 5_000
const columnsDefault = 80

/** As `process.stderr` is. */
export interface Terminal {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export class Progress {
  readonly #terminal: Terminal
  readonly #peers: number
  #phase = 'boot'
  #toldMs = -Infinity
  #isShown = false
  #last: ProcessSample | undefined

  /** `peers`: how many there are to be. */
  constructor(terminal: Terminal, peers: number) {
    this.#terminal = terminal
    this.#peers = peers
  }

  /** What is done from now on. */
  set phase(phase: string) {
    this.#phase = phase
    this.#toldMs = -Infinity
  }

  /** Once a second. */
  sample(sample: ProcessSample): void {
    this.#last = sample
    const isTerminal = this.#terminal.isTTY === true
    if (!isTerminal && sample.atMs - this.#toldMs < lineEveryMs) return
    this.#toldMs = sample.atMs
    this.#show()
  }

  /** A line that stays. */
  say(line: string): void {
    this.#clear()
    this.#terminal.write(`${line}\n`)
    if (this.#terminal.isTTY === true && this.#last !== undefined) this.#show()
  }

  /** Nothing of it is left on a terminal. */
  end(): void {
    this.#clear()
    this.#last = undefined
  }

  #show(): void {
    const line = lineOf(this.#last!, this.#phase, this.#peers)
    if (this.#terminal.isTTY !== true) {
      this.#terminal.write(`${line}\n`)
      return
    }
    this.#clear()
    this.#terminal.write(line.slice(0, (this.#terminal.columns ?? columnsDefault) - 1))
    this.#isShown = true
  }

  #clear(): void {
    if (this.#isShown) this.#terminal.write('\r\u001b[2K')
    this.#isShown = false
  }
}

function lineOf(
  { atMs, forMs, cpuUserMs, cpuSystemMs, rssBytes, counts }: ProcessSample,
  phase: string,
  peers: number,
): string {
  const { peersUp, jobsAsked = 0, jobsPaid = 0, jobsOtherwise = 0, coverage } = counts
  const parts = [
    `${Math.round(atMs / 1_000)} s`.padStart(5),
    phase,
    ...(peersUp === undefined ? [] : [`${peersUp}/${peers} peers`]),
    ...(jobsAsked === 0
      ? []
      : [`jobs ${jobsPaid}/${jobsAsked} paid${jobsOtherwise === 0 ? '' : `, ${jobsOtherwise} not`}`]),
    ...(coverage === undefined ? [] : [`coverage ${Number((100 * coverage).toFixed(1))} %`]),
    `cpu ${Math.round((100 * (cpuUserMs + cpuSystemMs)) / forMs)} %`,
    `${Math.round(rssBytes / 1e6)} MB`,
  ]
  return parts.join('  ')
}
