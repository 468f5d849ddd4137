/** Experiences to test with. */
import fc from 'fast-check'

import { nothingSeen, type Experience } from '../../src/reputation/experience.ts'

export const work = 'wasi-preview1'

/** As of the beginning of time, so that any later one decays it. */
export function seenOf(over: Partial<Experience>): Experience {
  return { ...nothingSeen, ...over }
}

const amount = fc.double({ min: 0, max: 1_000, noNaN: true })

export const anyExperience = fc
  .record({ success: amount, refused: amount, noShow: amount, fault: amount })
  .map((sums) => seenOf({ ...sums, atMs: 1_000 }))
