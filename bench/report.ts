/**
 * What a bench says: one JSON object of rows, each a figure, what it was measured beside in the same run, and the bar that it
 * should clear. A machine shared with others is slow at one moment and fast at the next: only ratios of runs that alternate
 * can be believed, so that is what bars are about wherever there is something to measure beside.
 */
import { availableParallelism, cpus, totalmem } from 'node:os'

import { median, type Paired } from './paired.ts'

export interface Row {
  readonly name: string
  /** The median; null when it could not be measured, and `note` says why. */
  readonly value: number | null
  readonly unit: string
  /** What was measured beside it in the same run; null when nothing was. */
  readonly baseline: string | null
  /** The median of the paired runs of value ÷ baseline. */
  readonly ratio: number | null
  /** `>= 0.45` or `<= 1.25`; of the ratio, or of the value when nothing was measured beside it. Null: no bar. */
  readonly target: string | null
  /** Null when there is no bar, or nothing could be measured. */
  readonly holds: boolean | null
  readonly note?: string
}

export interface Report {
  readonly v: 1
  readonly bench: string
  readonly machine: Machine
  readonly rows: readonly Row[]
}

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryBytes: number
  readonly platform: string
  readonly node: string
}

/** A bar: at least, or at most, so much. */
export type Target = { readonly least: number } | { readonly most: number }

export function thisMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  }
}

/** A figure alone. The bar, if any, is of the median. */
export function valueRow(name: string, unit: string, values: readonly number[], target?: Target, note?: string): Row {
  const value = median(values)
  return { name, value, unit, baseline: null, ratio: null, ...judged(value, target), ...noted(note) }
}

/** A figure beside another. The bar, if any, is of the ratio. */
export function pairedRow(
  name: string,
  unit: string,
  baseline: string,
  { values, ratio }: Paired,
  target?: Target,
  note?: string,
): Row {
  return { name, value: median(values), unit, baseline, ratio, ...judged(ratio, target), ...noted(note) }
}

/** What could not be measured here, and why. */
export function missingRow(name: string, unit: string, baseline: string | null, why: string, target?: Target): Row {
  return { name, value: null, unit, baseline, ratio: null, target: formatTarget(target), holds: null, note: why }
}

/** The rows as a table for people, with a mark where a bar was cleared or not. */
export function table(rows: readonly Row[]): string {
  const head = ['', 'what', 'value', 'unit', 'beside', 'ratio', 'target', 'note']
  const lines = rows.map(({ name, value, unit, baseline, ratio, target, holds, note }) => [
    holds === null ? '-' : holds ? 'ok' : 'NO',
    name,
    shortened(value),
    unit,
    baseline ?? '',
    shortened(ratio),
    target ?? '',
    note ?? '',
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column]!.length)))
  return [head, ...lines]
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function judged(figure: number, target: Target | undefined): Pick<Row, 'target' | 'holds'> {
  if (target === undefined) return { target: null, holds: null }
  return { target: formatTarget(target), holds: 'least' in target ? figure >= target.least : figure <= target.most }
}

function formatTarget(target: Target | undefined): string | null {
  if (target === undefined) return null
  return 'least' in target ? `>= ${target.least}` : `<= ${target.most}`
}

function noted(note: string | undefined): Pick<Row, 'note'> {
  return note === undefined ? {} : { note }
}

/** Three digits are more than a shared machine is good for. */
function shortened(figure: number | null): string {
  if (figure === null) return ''
  return Math.abs(figure) >= 1000 ? figure.toFixed(0) : String(Number(figure.toPrecision(3)))
}
