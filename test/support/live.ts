/** Small worlds of live peers, jobs in them, and what their ledgers say afterwards. */
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { perfectLink } from '../../sim/live/link.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { readLedgers, type LedgerOfPeer } from '../../sim/live/run/ledgers.ts'
import { LiveWorld, type LiveRole } from '../../sim/live/world.ts'
import type { JobSpec, JobStreamEvent, JobView } from '../../src/control/api.ts'
import { strangerStanding } from '../../src/market/rank.ts'
import { talking, there } from '../../src/reputation/experience.ts'

export const deadlineMs = 60_000
export const inTime = (): AbortSignal => AbortSignal.timeout(deadlineMs)
const link = { ...perfectLink, latencyMs: 3 }
export const lender: LiveRole = { lends: true, vice: null, skewMs: 0 }
export const asker: LiveRole = { ...lender, lends: false }

/** So many honest peers, of which one in `lendsOneIn` lends. */
export function plainRoles(peers: number, lendsOneIn: number): LiveRole[] {
  return Array.from({ length: peers }, (_, index) => ({ lends: index % lendsOneIn === 0, vice: null, skewMs: 0 }))
}

type Told<Type extends JobStreamEvent['type']> = Extract<JobStreamEvent, { type: Type }>

/** All that a requester is told of a job. */
export class Story {
  readonly events: JobStreamEvent[] = []

  all<Type extends JobStreamEvent['type']>(type: Type): Told<Type>[] {
    return this.events.filter((event): event is Told<Type> => event.type === type)
  }

  get job(): JobView {
    return this.all('end')[0]?.job ?? assert.fail('the job has no end')
  }

  /** Who was given up, and why. */
  get replaced(): string[] {
    return this.all('replacing').map(({ peer, code }) => `${peer.peer} ${code}`)
  }

  get said(): string {
    return Buffer.concat(this.all('log').map(({ base64 }) => Buffer.from(base64, 'base64'))).toString()
  }
}

export async function connected(seed: number, peers: readonly LiveRole[]): Promise<LiveWorld> {
  const world = await LiveWorld.boot({ peers, seed, carrier: 'own', boot: 'fast', link }, () => {})
  assert.ok(await world.waitForMesh(1, deadlineMs))
  return world
}

export async function booted(seed: number, peers: readonly LiveRole[]): Promise<LiveWorld> {
  const world = await connected(seed, peers)
  assert.ok(await world.waitForRecords(deadlineMs))
  await world.announced()
  return world
}

/** Nothing is left behind by peers that have stopped: no connection, and no timer but those of what was on its way. */
export async function ended(world: LiveWorld): Promise<void> {
  await world.stop()
  await new Promise((resolve) => {
    world.net!.wheel.after(100, () => resolve(undefined))
  })
  assert.equal(world.net!.linesCount, 0)
  assert.equal(world.net!.wheel.waiting, 0)
}

/** A small job, with little of everything. */
export const small: Omit<JobSpec, 'module'> = { cpuMilli: 100, memoryBytes: 2 ** 26, diskBytes: 0, priceMax: '5' }

export async function run({ control }: LivePeer, spec: JobSpec): Promise<Story> {
  const { id } = await control.submit({ ...small, ...spec }, inTime())
  const story = new Story()
  for await (const event of control.jobEvents(id, { logs: true, follow: true }, inTime())) story.events.push(event)
  return story
}

/** Enough others stay for a place that is lost. */
const leftOutMax = 2

/**
 * Runs a job until somebody has had it, or was to have it, or is known for a cheat already: on a busy machine an offer may come
 * when others have been chosen, and one that is itself a forgery is the last that is looked at. Whoever had the job instead is known
 * from then on, and would come before a stranger: the latest of them are left out.
 */
export async function runAt(worker: LivePeer, requester: LivePeer, spec: JobSpec): Promise<Story> {
  const endMs = performance.now() + deadlineMs
  const others: string[] = []
  for (;;) {
    const story = await run(requester, others.length === 0 ? spec : { ...spec, deny: others.slice(-leftOutMax) })
    const had = [...story.all('matched'), ...story.all('replacing').filter(({ code }) => !/OFFER/.test(code))]
    if (had.some(({ peer }) => peer.peer === worker.name)) return story
    const { peers } = await requester.control.peers()
    if (peers.some(({ peer, standing }) => peer === worker.name && Number(standing) < strangerStanding)) return story
    if (performance.now() > endMs)
      assert.fail(`${worker.vice ?? 'an honest peer'} was not chosen within ${deadlineMs} ms`)
    others.push(...had.map(({ peer }) => peer.peer))
  }
}

export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  withinMs = deadlineMs,
): Promise<void> {
  const endMs = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > endMs) assert.fail(`not within ${withinMs} ms: ${what}`)
    await sleep(20)
  }
}

/** What ledgers say, once their peers have stopped. */
export class Opinions {
  readonly #ledgers: readonly LedgerOfPeer[]

  constructor(world: LiveWorld) {
    this.#ledgers = readLedgers(world.peers)
  }

  of(who: LivePeer, whom: LivePeer) {
    const { seen } = this.#ledgers.find(({ index }) => index === who.index)!
    return summed(seen.filter(({ peer }) => peer === whom.name))
  }

  /** What honest peers have against each other. */
  get amongHonest(): string[] {
    const honest = this.#ledgers.filter(({ vice }) => vice === null)
    return honest.flatMap(({ index, seen }) =>
      seen
        .filter(({ peer, doing, seen: { fault, noShow } }) => {
          return doing !== there && fault + noShow > 0 && honest.some(({ name }) => name === peer)
        })
        .map((sight) => `peer ${index}: ${JSON.stringify(sight)}`),
    )
  }
}

/** Of all that it did; they decay, and a run is short. `evidence`: its last fault. */
function summed(rows: LedgerOfPeer['seen']) {
  const sum = (of: 'success' | 'refused' | 'fault' | 'noShow'): number =>
    Math.round(rows.filter(({ doing }) => doing !== there).reduce((all, { seen }) => all + seen[of], 0))
  return {
    success: sum('success'),
    refused: sum('refused'),
    fault: sum('fault'),
    noShow: sum('noShow'),
    evidence: rows.find(({ doing }) => doing === talking)?.seen.evidence.at(-1) ?? '',
  }
}

/** A folder for the files of jobs. */
export class Scratch {
  readonly path: string

  private constructor(path: string) {
    this.path = path
  }

  static async make(): Promise<Scratch> {
    return new Scratch(await mkdtemp(join(tmpdir(), 'pleach-live-test-')))
  }

  async file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.path, name)
    await writeFile(path, content)
    return path
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true })
  }
}
