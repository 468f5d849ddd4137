/** The numbers of a record, as whoever makes one has them. */
import type { RunRecord } from './record.ts'

/** To three places: what is beyond is noise. */
export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

/** Null where it is not known. */
export function roundedOrNull(value: number | null | undefined): number | null {
  return value === null || value === undefined ? null : rounded(value)
}

export function namedNumber(
  name: string,
  title: string,
  unit: string,
  value: number | null | undefined,
): RunRecord['numbers'][number] {
  return { name, title, unit, value: roundedOrNull(value) }
}
