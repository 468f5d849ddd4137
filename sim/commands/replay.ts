/** `sim replay`: one life told, or one peer's part of it. */
import type { JobState } from '../../src/market/job-state.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { check } from '../checkers/index.ts'
import { inject, type InjectedFault } from '../model/injected.ts'
import { StorageWorld } from '../model/storage-world.ts'
import { World, type WorldOptions } from '../model/world.ts'
import { checkStorage } from '../checkers/storage.ts'
import type { StorageScenario } from '../scenarios/storage.ts'
import type { Scenario } from '../scenarios/scenario.ts'

export interface ReplayArgs extends WorldOptions {
  readonly scenario: Scenario
  readonly seed: number
  /** Virtual milliseconds; undefined: to the end. */
  readonly untilMs: number | undefined
  readonly focus: number | undefined
  readonly faults: readonly InjectedFault[]
}

export async function replay({ scenario, seed, untilMs, focus, faults, ...options }: ReplayArgs): Promise<number> {
  const world = new World(seed, scenario, { ...options, keepTrace: true })
  inject(world, faults)
  await world.run(untilMs)
  for (const { atMs, peer, what } of world.trace.lines ?? []) tell(atMs, peer, what, focus)
  if (focus !== undefined) tellPeer(world, focus)
  const violations = untilMs === undefined ? check(world) : world.violations
  for (const { checker, what } of violations) process.stdout.write(`VIOLATED  ${checker}: ${what}\n`)
  process.stdout.write(`trace ${world.traceHash}\n`)
  return violations.length === 0 ? 0 : 3
}

/** A life of the storage world: the whole of it, since its peers read everything again at the end. */
export async function replayStorage(
  scenario: StorageScenario,
  seed: number,
  untilMs: number | undefined,
  focus: number | undefined,
): Promise<number> {
  const world = new StorageWorld(seed, scenario)
  await world.run()
  for (const line of world.trace) {
    const [atMs, peer, ...words] = line.split(' ')
    if (untilMs !== undefined && Number(atMs) > untilMs) break
    tell(Number(atMs), Number(peer), words.join(' '), focus)
  }
  const violations = checkStorage(world)
  for (const { checker, what } of violations) process.stdout.write(`VIOLATED  ${checker}: ${what}\n`)
  process.stdout.write(`trace ${world.traceHash}\n`)
  return violations.length === 0 ? 0 : 3
}

function tell(atMs: number, peer: number, what: string, focus: number | undefined): void {
  if (focus !== undefined && peer !== focus && peer !== -1) return
  const who = peer === -1 ? 'world   ' : `peer ${String(peer).padStart(3)}`
  process.stdout.write(`${(atMs / 1000).toFixed(3).padStart(9)} s  ${who}  ${what}\n`)
}

/** What the peer has at the end of its story. */
function tellPeer(world: World, number: number): void {
  const peer = world.peers[number]
  if (peer === undefined) {
    process.stderr.write(`error: there are ${world.peers.length} peers, 0 to ${world.peers.length - 1}\n`)
    return
  }
  const { vice, disk, blamed, plan } = peer
  process.stdout.write(
    `peer ${number} ${vice === null ? 'honest' : `dishonest: ${vice}`}, ${plan.lending === null ? 'only asks' : 'lends'}\n`,
  )
  for (const [id, { kind, state }] of disk.states) {
    process.stdout.write(`  ${kind} ${id.slice(-8)}  ${JSON.stringify(summary(kind, state))}\n`)
  }
  for (const { peer: other, fault } of blamed)
    process.stdout.write(`  blames peer ${world.numberOf(other)}: ${fault.code} ${fault.message}\n`)
}

function summary(kind: string, state: unknown): unknown {
  if (kind === 'job') {
    const { hunt, slots, verdict } = state as JobState
    return { hunt: hunt?.at, slots: slots.map(({ at, epoch }) => `${at} ${epoch}`), verdict }
  }
  const { hold, task, bill, ending } = state as LeaseState
  return { hold: hold.at, task: task?.at, bill: bill?.at, ending }
}
