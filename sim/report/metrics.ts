/** `metrics.jsonl`: what was measured as the run went, one object a line. `of` says what a line is about: a life, a second, a peer. */
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

import { z } from 'zod'

import { RecordError } from './record.ts'

const scalar = z.union([z.number(), z.string(), z.boolean(), z.null()])
const metricSchema = z.object({ v: z.literal(1), of: z.string() }).catchall(scalar)

export type Metric = z.infer<typeof metricSchema>

const bufferedCharsMax = 64 * 1024
const lineCharsMax = 64 * 1024

/** Writes when its buffer is full, and waits for that: nothing piles up, and 64 KiB to the page cache take some 50 microseconds. */
export class MetricsWriter implements Disposable {
  readonly #file: number
  #buffer = ''
  lines = 0

  /** What was in the file is gone. */
  constructor(path: string) {
    this.#file = openSync(path, 'w')
  }

  write(metric: Metric): void {
    const line = `${JSON.stringify(metric)}\n`
    if (line.length > lineCharsMax)
      throw new RangeError(`a metric of ${line.length} characters; ${lineCharsMax} at most`)
    if (this.#buffer.length + line.length > bufferedCharsMax) this.flush()
    this.#buffer += line
    this.lines++
  }

  /** What was written so far outlives the process. */
  flush(): void {
    const bytes = Buffer.from(this.#buffer)
    this.#buffer = ''
    for (let at = 0; at < bytes.byteLength;) at += writeSync(this.#file, bytes, at)
  }

  [Symbol.dispose](): void {
    this.flush()
    closeSync(this.#file)
  }
}

/** Line by line; throws a RecordError that names the line that is none. */
export async function* readMetrics(path: string): AsyncGenerator<Metric> {
  let number = 0
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity })
  for await (const line of lines) {
    number++
    if (line === '') continue
    yield metricOf(line, `${path}:${number}`)
  }
}

function metricOf(line: string, where: string): Metric {
  let value: unknown
  try {
    value = line.length > lineCharsMax ? undefined : JSON.parse(line)
  } catch (error) {
    throw new RecordError(`${where} is no JSON`, { cause: error })
  }
  const parsed = metricSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new RecordError(
    `${where} is no metric: {"v":1,"of":"…", …} with plain values, ${lineCharsMax} characters at most`,
  )
}
