/** `sim compare A B`: two runs side by side. `sim report DIR`: the page of a run, drawn again. */
import { compareRuns, fires, type Compared, type Comparing } from '../report/compare.ts'
import { pageFile, readRun, writePage } from '../report/folder.ts'
import { told } from '../report/svg.ts'

export interface CompareArgs {
  readonly a: string
  readonly b: string
  /** Any of them that is true fails the comparison. */
  readonly failIf: readonly string[]
  readonly json: boolean
}

/** Exit code: 0, or 3 when an expression is true of the two. */
export function compare({ a, b, failIf, json }: CompareArgs): number {
  const comparing = compareRuns(readRun(a), readRun(b))
  // Before anything is printed: an expression that cannot be read is a mistake of whoever wrote it.
  const verdicts = failIf.map((expression) => ({ expression, fires: fires(expression, comparing) }))
  for (const warning of comparing.warnings) process.stderr.write(`warning: ${warning}\n`)
  if (json) process.stdout.write(`${JSON.stringify({ v: 1, a, b, ...comparing, failIf: verdicts })}\n`)
  else process.stdout.write(`A  ${a}\nB  ${b}\n\n${valueTable(comparing.values)}\n${assertionTable(comparing)}`)
  const fired = verdicts.filter((verdict) => verdict.fires)
  for (const { expression } of fired) process.stderr.write(`fails, because it is true that ${expression}\n`)
  return fired.length === 0 ? 0 : 3
}

export function report(folder: string): number {
  writePage(folder, readRun(folder))
  process.stdout.write(`${folder}/${pageFile}\n`)
  return 0
}

function valueTable(values: readonly Compared[]): string {
  const rows = values.map(({ name, unit, a, b, ratio }) => [
    name,
    number(a),
    number(b),
    ratio === null ? '-' : `${ratio.toFixed(2)}x`,
    unit,
  ])
  return aligned([['', 'A', 'B', 'B/A', ''], ...rows])
}

function assertionTable({ assertions }: Comparing): string {
  const rows = assertions.map(({ name, a, b, gotA, gotB }) => [name, verdict(a, gotA), verdict(b, gotB), '', ''])
  return rows.length === 0 ? '' : aligned([['', 'A', 'B', '', ''], ...rows])
}

function verdict(holds: boolean | null, got: string | null): string {
  return holds === null ? 'not asserted' : `${holds ? 'pass' : 'FAIL'} (${got})`
}

function number(value: number | null): string {
  return value === null ? 'unknown' : told(value).replaceAll('\u202f', ' ')
}

/** The first column left, numbers right. Remote text is in none of it but names, which the schema of a record bounds. */
function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
