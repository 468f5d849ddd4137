/**
 * Every fault there is, one at a time: in one whole job every frame is dropped, doubled and delayed, and every peer dies before and
 * after every effect of every peer. Then pairs and triples of them by chance.
 */
import { check, type Violation } from '../checkers/index.ts'
import { SeededRandom } from '../random.ts'
import type { Scenario } from '../scenarios/scenario.ts'
import { inject, type InjectedFault } from './injected.ts'
import { World } from './world.ts'

export interface ExhaustReport {
  /** Of the life in which nothing goes wrong. */
  readonly frames: number
  readonly effects: number
  readonly singles: number
  readonly pairs: number
  readonly triples: number
  readonly violations: number
  readonly failures: readonly { readonly faults: readonly InjectedFault[]; readonly violations: readonly Violation[] }[]
}

const toldMax = 10

export async function exhaustFaults(
  scenario: Scenario,
  seed: number,
  pairs: number,
  triples: number,
): Promise<ExhaustReport> {
  const calm = await live(scenario, seed, [])
  const frames = calm.network.counts.sent
  const { effects } = calm
  calm.close()
  const all: InjectedFault[] = []
  for (let frame = 0; frame < frames; frame++)
    for (const what of ['drop', 'double', 'delay'] as const) all.push({ what, frame })
  for (let effect = 1; effect <= effects; effect++)
    for (const when of ['before', 'after'] as const)
      for (const { number } of calm.peers) all.push({ what: 'crash', peer: number, when, effect })

  const failures: { faults: readonly InjectedFault[]; violations: readonly Violation[] }[] = []
  let violations = 0
  const attempt = async (faults: readonly InjectedFault[]): Promise<void> => {
    const world = await live(scenario, seed, faults)
    const found = check(world)
    world.close()
    violations += found.length
    if (found.length > 0 && failures.length < toldMax) failures.push({ faults, violations: found })
  }
  await attempt([])
  for (const fault of all) await attempt([fault])
  const random = SeededRandom.of(seed, 'several faults')
  const several = async (tries: number, count: number): Promise<void> => {
    for (let index = 0; index < tries; index++) await attempt(Array.from({ length: count }, () => random.pick(all)))
  }
  await several(pairs, 2)
  await several(triples, 3)
  return { frames, effects, singles: all.length, pairs, triples, violations, failures }
}

async function live(scenario: Scenario, seed: number, faults: readonly InjectedFault[]): Promise<World> {
  const world = new World(seed, scenario)
  inject(world, faults)
  await world.run()
  return world
}
