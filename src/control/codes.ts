/** What every code means that this program can show: one table, with nobody to be asked. Kept whole by test/cli/explain.test.ts. */
import { errorCodes } from './codes-errors.ts'
import { jobCodes } from './codes-jobs.ts'
import { lackCodes } from './codes-lacks.ts'
import { moneyCodes } from './codes-money.ts'
import { peerCodes } from './codes-peers.ts'

/** What it means, why it happens, and one thing that can be done about it. */
export type Row = readonly [means: string, why: string, cure: string]

export interface Meaning {
  readonly code: string
  readonly kind: string
  readonly means: string
  readonly why: string
  readonly cure: string
}

/** By what they are about, in the order in which they are listed. */
const tables: readonly (readonly [kind: string, rows: Readonly<Record<string, Row>>])[] = [
  ['of jobs and offers', jobCodes],
  ['of what a provider lacks', lackCodes],
  ['of what is owed', moneyCodes],
  ['of other peers', peerCodes],
  ['of commands and of this machine', errorCodes],
]

export const meanings: readonly Meaning[] = tables.flatMap(([kind, rows]) =>
  Object.entries(rows).map(([code, [means, why, cure]]) => ({ code, kind, means, why, cure })),
)

/** However it is written: `no-match` is NO_MATCH. */
export function meaningOf(typed: string): Meaning | undefined {
  const wanted = typed.toUpperCase().replaceAll(/[\s-]+/g, '_')
  return meanings.find(({ code }) => code === wanted)
}
