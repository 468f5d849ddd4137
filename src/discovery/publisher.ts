/**
 * Keeps this peer's own record on the bulletin, and has it announced: published, refreshed before it expires, adverts placed, and at the end
 * replaced by one that takes everything back.
 */
import {
  advertsOf,
  capabilityNamespace,
  sealCapability,
  type Capability,
  unsaid,
} from '../../protocols/capability/index.ts'
import { publicKeyOf, type Bulletin, type Signer } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'

/** How long a record is valid. A peer that dies without a word is forgotten after this. */
export const recordTermMs = 10 * 60_000
/** Well before the expiry, so that a refresh may fail twice. */
export const refreshMs = 3 * 60_000
/** After a publication that nobody acknowledged: the mesh is still forming. */
const retryMs = 2_000
/**
 * A host that has just come knows few, and so puts its record where few would look for it. Between two looks at how many it
 * knows by now, and by how much they have grown when it is put anew.
 */
const growthLookMs = 5_000
const growthFactor = 1.5
/** Adverts live for days where they are, and cost far more than a record: they are placed anew when they are others, and this seldom. */
const advertsEveryMs = 30 * 60_000
/** One publication with its adverts. */
const publishWithinMs = 20_000
const withdrawWithinMs = 3_000

/** Everything of a record but what changes with each publication. */
export type Facts = Omit<Capability, 'sequence' | 'issuedMs' | 'expiresMs' | 'withdrawn'>

export interface PublisherDeps {
  readonly bulletin: Bulletin
  readonly signer: Signer
  readonly network: string
  readonly clock: Clock
  readonly log: Log
  /** The next number, durable before it is used. */
  nextSequence(): Promise<number>
  /** How many peers the bulletin can choose from to keep a record. Left out, they are always the same. */
  readonly keepersKnown?: () => number
  /** Who tells everybody of a record that says something else than the last, and of one that takes everything back. */
  readonly announcer?: { announce(envelope: Uint8Array): void; takeBack(envelope: Uint8Array): Promise<void> }
}

export class Publisher {
  readonly #deps: PublisherDeps
  #facts: Facts | undefined
  #cancelNext: () => void = () => {}
  #running: Promise<void> | undefined
  #stop = new AbortController()
  #published = 0
  /** Whether any record of ours may be out there: a refresh that failed does not take back the one before. */
  #isOut = false
  /** Peers that were known when the last publication began. */
  #keepersKnown = 0
  /** Our last record, and the facts that were announced last. */
  #current: Sealed | undefined
  #announced: Facts | undefined
  /** The adverts that were placed last, one a line, and when. */
  #placed = { names: '', atMs: -Infinity, keepersKnown: 0 }

  constructor(deps: PublisherDeps) {
    this.#deps = deps
  }

  /** Peers that acknowledged the last publication. */
  get acknowledged(): number {
    return this.#published
  }

  /** Our record, as it was made last; undefined before the first, and once it was taken back. */
  get current(): Sealed | undefined {
    return this.#current
  }

  /** Makes our record anew, to be handed to others: it shows that we are there. Undefined when we lend nothing. */
  async renew(): Promise<Uint8Array | undefined> {
    if (this.#facts === undefined || this.#stop.signal.aborted) return undefined
    this.#current = await this.#seal(this.#facts, false)
    return this.#current.envelope
  }

  /**
   * Who lends nothing puts a record that takes everything back: nobody looks for it, but another peer with our key, which reads its own record, finds
   * it there. Who lends has a record that does the same.
   */
  async putNothing(signal: AbortSignal): Promise<void> {
    if (this.#facts !== undefined || this.#stop.signal.aborted) return
    const nothing = { ...unsaid, software: '', runtimes: [], compute: null, storage: null, price: null }
    const { envelope } = await this.#seal(nothing, true)
    const { bulletin, signer } = this.#deps
    await bulletin.put(capabilityNamespace, publicKeyOf(signer.peer), envelope, signal)
  }

  /** Publishes these facts from now on. */
  publish(facts: Facts): void {
    this.#facts = facts
    this.#soon(0)
  }

  /** Takes the record back, as far as others can be reached within seconds. */
  async withdraw(): Promise<void> {
    const facts = this.#facts
    this.#cancelNext()
    this.#stop.abort(new Error('the record is withdrawn'))
    using ending = this.#deps.clock.deadline(withdrawWithinMs)
    await endOf(this.#running, ending.signal)
    if (facts === undefined || !this.#isOut) return
    this.#facts = undefined
    using deadline = this.#deps.clock.deadline(withdrawWithinMs)
    try {
      const nothing = { ...unsaid, software: facts.software, runtimes: [], compute: null, storage: null, price: null }
      const { envelope } = await this.#seal(nothing, true)
      this.#current = undefined
      await endOf(
        Promise.all([this.#deps.announcer?.takeBack(envelope), this.#store(envelope, deadline.signal)]),
        deadline.signal,
      )
    } catch (error) {
      this.#deps.log('debug', 'the record could not be withdrawn; it will expire', { error })
    }
  }

  #soon(delayMs: number): void {
    this.#cancelNext()
    if (this.#stop.signal.aborted) return
    this.#cancelNext = this.#deps.clock.after(Math.max(0, delayMs), () => {
      this.#running = this.#round()
    })
  }

  async #round(): Promise<void> {
    const facts = this.#facts
    if (facts === undefined) return
    const { clock, network, log, announcer } = this.#deps
    using deadline = clock.deadline(publishWithinMs, this.#stop.signal)
    this.#keepersKnown = this.#deps.keepersKnown?.() ?? 0
    try {
      const { capability, envelope } = await this.#put(facts, deadline.signal)
      if (this.#announced !== facts) announcer?.announce(envelope)
      this.#announced = facts
      await this.#advertise(advertsOf(network, capability), deadline.signal)
    } catch (error) {
      if (!this.#stop.signal.aborted) log('debug', 'the record could not be published', { error })
      this.#published = 0
    }
    if (this.#published === 0) this.#soon(retryMs)
    else this.#rest(clock.monotonicMs() + refreshMs)
  }

  async #advertise(names: readonly string[], signal: AbortSignal): Promise<void> {
    const { bulletin, clock } = this.#deps
    const placed = { names: names.join('\n'), atMs: clock.monotonicMs(), keepersKnown: this.#keepersKnown }
    const areThere =
      placed.names === this.#placed.names &&
      placed.atMs - this.#placed.atMs < advertsEveryMs &&
      placed.keepersKnown < growthFactor * this.#placed.keepersKnown + 1
    if (areThere) return
    for (const name of names) await bulletin.advertise(name, signal)
    this.#placed = placed
  }

  /** Until it is time for a refresh, or there are so many more peers that the record belongs elsewhere. */
  #rest(untilMs: number): void {
    const { keepersKnown, clock } = this.#deps
    const leftMs = untilMs - clock.monotonicMs()
    if (keepersKnown === undefined || leftMs <= growthLookMs) {
      this.#soon(leftMs)
      return
    }
    if (this.#stop.signal.aborted) return
    this.#cancelNext = clock.after(growthLookMs, () => {
      if (keepersKnown() >= growthFactor * this.#keepersKnown + 1) this.#soon(0)
      else this.#rest(untilMs)
    })
  }

  async #put(facts: Facts, signal: AbortSignal): Promise<Sealed> {
    const sealed = (this.#current = await this.#seal(facts, false))
    await this.#store(sealed.envelope, signal)
    return sealed
  }

  async #store(envelope: Uint8Array, signal: AbortSignal): Promise<void> {
    const { bulletin, signer } = this.#deps
    this.#published = await bulletin.put(capabilityNamespace, publicKeyOf(signer.peer), envelope, signal)
    this.#isOut ||= this.#published > 0
  }

  async #seal(facts: Facts, withdrawn: boolean): Promise<Sealed> {
    const { signer, network, clock } = this.#deps
    const issuedMs = clock.nowMs()
    const capability: Capability = {
      ...facts,
      withdrawn,
      sequence: await this.#deps.nextSequence(),
      issuedMs,
      expiresMs: issuedMs + recordTermMs,
    }
    return { capability, envelope: sealCapability(signer, network, capability) }
  }
}

export interface Sealed {
  readonly capability: Capability
  readonly envelope: Uint8Array
}

/** Waits for work that was told to end, and no longer than until the signal fires: a query may not listen. */
async function endOf(work: Promise<unknown> | undefined, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await Promise.race([work, promise])
}
