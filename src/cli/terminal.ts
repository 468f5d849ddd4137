/**
 * The two streams of a command: data on stdout, everything said about it on stderr. A status line that rewrites itself is
 * shown only where stderr is a terminal that can; colours by Node, which honours NO_COLOR and FORCE_COLOR.
 */
import { styleText } from 'node:util'

export type Style = Parameters<typeof styleText>[0]

const newline = 0x0a
/** Of a terminal that does not say, or says 0. */
const columnsDefault = 80

export class Terminal {
  /** Nothing is said but errors. */
  readonly quiet: boolean
  /** Machine-readable: one object, or lines of them. */
  readonly json: boolean
  readonly #out: NodeJS.WriteStream
  readonly #err: NodeJS.WriteStream
  readonly #gone = new AbortController()
  #live = ''
  #isErrGone = false
  #lastByte = newline

  constructor(out: NodeJS.WriteStream, err: NodeJS.WriteStream, options: { quiet: boolean; json: boolean }) {
    this.#out = out
    this.#err = err
    this.quiet = options.quiet
    this.json = options.json
    // Whoever reads us has enough (`pleach jobs | head -1`): that is no error.
    out.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      this.#gone.abort(new Error('nobody reads the output any more'))
    })
    err.on('error', () => {
      this.#isErrGone = true
    })
  }

  /** Fires when nobody reads stdout any more. */
  get gone(): AbortSignal {
    return this.#gone.signal
  }

  /** Whether a line on stderr may rewrite itself. */
  get isLive(): boolean {
    return this.#err.isTTY && process.env['TERM'] !== 'dumb' && !this.quiet && !this.json
  }

  get isErrTerminal(): boolean {
    return this.#err.isTTY
  }

  style(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#err })
  }

  /** Bytes to stdout, as they are. Resolves when there is room for more. */
  async data(bytes: Uint8Array | string): Promise<void> {
    if (this.#gone.signal.aborted || bytes.length === 0) return
    this.#clearLive()
    this.#lastByte = typeof bytes === 'string' ? bytes.charCodeAt(bytes.length - 1) : bytes.at(-1)!
    if (!this.#out.write(bytes)) await this.#drained(this.#out)
  }

  async print(...lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.data(`${lines.join('\n')}\n`)
  }

  /** On one line; `indent` lays it out for reading. */
  async printJson(value: unknown, indent = 0): Promise<void> {
    await this.data(`${jsonText(value, indent)}\n`)
  }

  /** Something about what is going on, for a person. */
  note(...lines: readonly string[]): void {
    if (this.quiet || this.json) return
    this.say(...lines)
  }

  /** What is said whatever the flags: errors, and which peer is meant. */
  say(...lines: readonly string[]): void {
    this.#clearLive()
    // The program's own last line may lack its end, and both streams may be one terminal.
    if (this.#lastByte !== newline && this.#out.isTTY && this.#err.isTTY) this.#err.write('\n')
    this.#lastByte = newline
    for (const line of lines) this.#err.write(`${line}\n`)
  }

  /** Bytes to stderr, as they are. */
  async errorData(bytes: Uint8Array): Promise<void> {
    this.#clearLive()
    if (!this.#err.write(bytes) && !this.#isErrGone) await this.#drained(this.#err)
  }

  /** Shows a line until the next thing is written. */
  live(text: string): void {
    if (!this.isLive) return
    this.#clearLive()
    this.#live = text.slice(0, (this.#err.columns || columnsDefault) - 1)
    this.#err.write(this.#live)
  }

  /** Resolves when everything has been handed to the system. */
  async flush(): Promise<void> {
    this.#clearLive()
    await Promise.all([flushed(this.#out), flushed(this.#err)])
  }

  #clearLive(): void {
    if (this.#live === '') return
    this.#err.write('\r\u001b[K')
    this.#live = ''
  }

  async #drained(stream: NodeJS.WriteStream): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => resolve()
    stream.once('drain', done)
    stream.once('error', done)
    await promise
    stream.off('drain', done)
    stream.off('error', done)
  }
}

async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  // Called also when nobody reads any more.
  stream.write('', () => resolve())
  await promise
}

/** JSON in which nothing can act on a terminal. */
function jsonText(value: unknown, indent: number): string {
  return JSON.stringify(value, undefined, indent).replaceAll(
    /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
