/** The shortest prefix of a life that still fails: fewer jobs, and mischief that ends earlier. */
import { check } from '../checkers/index.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import type { Failure } from './campaign.ts'
import { World, type WorldOptions } from './world.ts'

export interface Prefix {
  readonly mischiefUntilMs: number
  readonly jobsMax: number
}

/** To within this the end of the mischief is looked for. */
const preciseMs = 100

/**
 * Halves what there is as long as a checker that failed still fails. Failing need not be monotone in time; what is returned was
 * seen to fail. Undefined when nothing shorter than the whole does.
 */
export async function shortestPrefix(
  scenario: Scenario,
  { seed, violations }: Failure,
  options: WorldOptions,
): Promise<Prefix | undefined> {
  const wanted = new Set(violations.map(({ checker }) => checker))
  const fails = async (prefix: Prefix): Promise<boolean> => {
    const world = new World(seed, scenario, { ...options, ...prefix })
    await world.run()
    const isFailing = check(world).some(({ checker }) => wanted.has(checker))
    world.close()
    return isFailing
  }
  let best: Prefix = { mischiefUntilMs: scenario.faultsUntilMs, jobsMax: scenario.workload.jobs }
  if (!(await fails(best))) return undefined
  const halve = async (high: number, low: number, step: number, of: (value: number) => Prefix): Promise<void> => {
    let [good, bad] = [high, low]
    if (await fails(of(low))) good = low
    while (good - bad > step) {
      const middle = Math.floor((good + bad) / 2)
      if (await fails(of(middle))) good = middle
      else bad = middle
    }
    best = of(good)
  }
  await halve(best.mischiefUntilMs, 0, preciseMs, (mischiefUntilMs) => ({ ...best, mischiefUntilMs }))
  await halve(best.jobsMax, 0, 1, (jobsMax) => ({ ...best, jobsMax }))
  return best
}
