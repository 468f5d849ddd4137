/** What a bench is made of, and how it is run. */
import { missingRow, thisMachine, type Report, type Row } from './report.ts'

export interface Bench {
  readonly name: string
  readonly about: string
  /** Run one after the other: each wants the whole machine. */
  readonly parts: readonly Part[]
}

/** One file of a bench. */
export interface Part {
  readonly name: string
  readonly about: string
  measure(circumstances: Circumstances): Promise<readonly Row[]>
}

export interface Circumstances {
  /** Of paired runs; never fewer than `roundsMin`. */
  readonly rounds: number
  /** An empty folder of this part's own, removed after it. */
  readonly folder: string
  /** A line about progress, for people. */
  readonly say: (line: string) => void
  readonly signal: AbortSignal
}

/** A part that fails is a row that says so, and the others are still measured. */
export async function runBench(
  bench: Bench,
  parts: readonly Part[],
  circumstancesOf: (part: Part) => Promise<Circumstances & AsyncDisposable>,
): Promise<Report> {
  const rows: Row[] = []
  for (const part of parts) {
    await using circumstances = await circumstancesOf(part)
    circumstances.signal.throwIfAborted()
    try {
      rows.push(...(await part.measure(circumstances)))
    } catch (error) {
      circumstances.signal.throwIfAborted()
      const why = error instanceof Error ? (error.stack ?? error.message) : String(error)
      circumstances.say(`${part.name} failed: ${why}`)
      rows.push(missingRow(part.name, '', null, `failed: ${why.split('\n')[0]}`))
    }
  }
  return { v: 1, bench: bench.name, machine: thisMachine(), rows }
}
