/** A small mesh of whole peers in this process, on 127.0.0.1 and in one temporary folder, and ways to wait for what they do. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import {
  plainMoney,
  plainRelay,
  type MoneyOptions,
  type OfferOptions,
  type PeerOptions,
  type RelayOptions,
} from '../../src/config/options.ts'
import { ControlError, type JobSpec, type JobStreamEvent, type JobView } from '../../src/control/api.ts'
import { realClock, realRandom, silentLog, type Log } from '../../src/environment.ts'
import { createPeer, type Peer } from '../../src/node.ts'
import type { PeerPorts } from '../../src/node/ports.ts'

export const deadlineMs = 20_000
export const inTime = (): AbortSignal => AbortSignal.timeout(deadlineMs)
const lookAgainMs = 20

export interface MemberOptions {
  /** What differs from an ordinary provider; null for a peer that lends nothing. */
  readonly offer?: Partial<OfferOptions> | null
  readonly listen?: readonly string[]
  readonly cacheBytes?: number
  /** What differs from plainRelay. */
  readonly relay?: Partial<RelayOptions>
  /** What differs from plainMoney. */
  readonly money?: Partial<MoneyOptions>
  readonly log?: Log
  readonly ports?: PeerPorts
}

const ordinaryOffer: OfferOptions = {
  cpuMilli: 2_000,
  memoryBytes: 512 * 2 ** 20,
  keepBytes: 2 ** 28,
  cpuHourMicro: 1_000_000,
  unit: 'credit',
  wallMsMax: 3_600_000,
}
/** Lends its disk; its processor is dearer than any job of these tests will pay. */
export const keeper: MemberOptions = { offer: { cpuHourMicro: 50_000_000 } }
export const lendsNothing: MemberOptions = { offer: null }

/** The peer of the first name is the one from which the others begin. */
export class Mesh implements AsyncDisposable {
  readonly network = `mesh-${randomBytes(6).toString('hex')}`
  readonly folder: string
  readonly #members = new Map<string, { readonly peer: Peer; readonly options: MemberOptions }>()
  #bootstrap: readonly string[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  static async of(members: Readonly<Record<string, MemberOptions>>): Promise<Mesh> {
    const mesh = new Mesh(await mkdtemp(join(tmpdir(), 'pleach-mesh-')))
    try {
      const [first, ...others] = Object.entries(members)
      const { peer } = await mesh.#start(...first!)
      mesh.#bootstrap = [peer.addresses()[0] ?? assert.fail('the first peer does not listen')]
      await Promise.all(others.map(async ([name, options]) => mesh.#start(name, options)))
      await Promise.all([...mesh.#members.values()].map(async (member) => member.peer.ready(inTime())))
      return mesh
    } catch (error) {
      await mesh[Symbol.asyncDispose]()
      throw error
    }
  }

  get bootstrap(): readonly string[] {
    return this.#bootstrap
  }

  peer(name: string): Peer {
    return this.#members.get(name)?.peer ?? assert.fail(`no peer is named ${name}`)
  }

  nameOf(peer: string): string {
    return [...this.#members].find(([, member]) => member.peer.name === peer)?.[0] ?? assert.fail(`who is ${peer}?`)
  }

  optionsOf(name: string, options: MemberOptions): PeerOptions {
    const { offer = {}, listen = ['/ip4/127.0.0.1/tcp/0'], cacheBytes = 0, relay = {}, money = {} } = options
    return {
      network: this.network,
      reach: 'loopback',
      dataDir: this.dataDir(name),
      listen,
      bootstrap: this.#bootstrap,
      offer: offer === null ? null : { ...ordinaryOffer, ...offer },
      workers: 1,
      cacheBytes,
      relay: { ...plainRelay, ...relay },
      money: { ...plainMoney, ...money },
      profile: name,
    }
  }

  dataDir(name: string): string {
    return join(this.folder, name)
  }

  async add(name: string, options: MemberOptions): Promise<Peer> {
    const { peer } = await this.#start(name, options)
    await peer.ready(inTime())
    return peer
  }

  /** Stops a peer; its folder stays. */
  async stop(name: string): Promise<void> {
    await this.peer(name).stop()
  }

  /** Starts a peer that was stopped again, with its folder. */
  async startAgain(name: string): Promise<Peer> {
    const { options } = this.#members.get(name) ?? assert.fail(`no peer is named ${name}`)
    return this.add(name, options)
  }

  /** Resolves once a peer knows the records of those. */
  async knows(name: string, others: readonly string[]): Promise<void> {
    const wanted = others.map((other) => this.peer(other).name)
    const signal = inTime()
    await eventually(`${name} knows ${others.join()}`, async () => {
      const offers = await this.peer(name).control.offers(true, signal)
      return wanted.every((peer) => offers.some((offer) => offer.peer === peer))
    })
  }

  async file(name: string, content: string | Uint8Array): Promise<string> {
    const path = join(this.folder, name)
    await writeFile(path, content)
    return path
  }

  /** Submits a job and hears its story to the end. */
  async run(name: string, spec: JobSpec): Promise<Story> {
    const { control } = this.peer(name)
    return storyOf(this.peer(name), (await control.submit(spec, inTime())).id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members.values()].map(async ({ peer }) => peer.stop()))
    await rm(this.folder, { recursive: true, force: true })
  }

  async #start(name: string, options: MemberOptions): Promise<{ readonly peer: Peer }> {
    const environment = { clock: realClock, random: realRandom, log: options.log ?? silentLog }
    const peer = await createPeer(this.optionsOf(name, options), environment, options.ports)
    this.#members.set(name, { peer, options })
    return { peer }
  }
}

type Of<Type extends JobStreamEvent['type']> = Extract<JobStreamEvent, { type: Type }>

/** All that is told of a job, from its beginning to its end. */
export class Story {
  readonly events: JobStreamEvent[]

  constructor(events: JobStreamEvent[]) {
    this.events = events
  }

  all<Type extends JobStreamEvent['type']>(type: Type): Of<Type>[] {
    return this.events.filter((event): event is Of<Type> => event.type === type)
  }

  the<Type extends JobStreamEvent['type']>(type: Type): Of<Type> {
    const [event, ...more] = this.all(type)
    assert.equal(more.length, 0, `more than one ${type}`)
    return event ?? assert.fail(`no ${type} among ${this.events.map((each) => each.type).join()}`)
  }

  get job(): JobView {
    return this.the('end').job
  }

  bytes(channel: 'stdout' | 'stderr'): Buffer {
    const chunks = this.all('log').filter((event) => event.channel === channel)
    return Buffer.concat(chunks.map(({ base64 }) => Buffer.from(base64, 'base64')))
  }
}

/** Hears a job's story to its end, or until an event of a kind. */
export async function storyOf(
  peer: Peer,
  job: string,
  until: JobStreamEvent['type'] = 'end',
  withinMs = deadlineMs,
): Promise<Story> {
  const story = new Story([])
  const signal = AbortSignal.timeout(withinMs)
  for await (const event of peer.control.jobEvents(job, { logs: true, follow: true }, signal)) {
    story.events.push(event)
    if (event.type === until) return story
  }
  return assert.fail(
    `no ${until} ${signal.aborted ? 'in time' : 'before the end'}: ${story.events.map(({ type }) => type).join()}`,
  )
}

/** Resolves once it holds; fails when it does not in time. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + deadlineMs
  while (!(await holds())) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`)
    await sleep(lookAgainMs)
  }
}

/** The ControlError with which something fails. */
export async function controlErrorOf(work: Promise<unknown>): Promise<ControlError> {
  try {
    await work
  } catch (error) {
    if (error instanceof ControlError) return error
    throw error
  }
  return assert.fail('it did not fail')
}
