/**
 * The second way to records: gossip. What others announce is judged before it is passed on, and goes into the index; our own record is announced
 * when it says something else, and from time to time because we live.
 */
import { capabilityBytesMax, capabilityType, type Capability } from '../../protocols/capability/index.ts'
import {
  capabilityTopic,
  judgeRecord,
  lifeSignEveryMs,
  recordWindowMs,
  recordsPerAuthorMax,
} from '../../protocols/discover/index.ts'
import {
  nobodyHeard,
  openEnvelope,
  type Gossip,
  type Notary,
  type PeerName,
  type Signed,
} from '../../protocols/wire/index.ts'
import type { Clock, Log, Random } from '../environment.ts'
import type { RecordIndex } from './record-index.ts'

export interface AnnouncerDeps {
  readonly gossip: Gossip
  readonly notary: Notary
  readonly index: RecordIndex
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** The highest sequence that was seen of a peer; -1 when none was. */
  readonly floorOf: (peer: PeerName) => number
  /** Resolves when everybody may be told. Left out: at once. */
  readonly mayAnnounce?: Promise<void> | undefined
  /** Our record, made anew; undefined when we lend nothing. */
  readonly renew: () => Promise<Uint8Array | undefined>
}

/** Between two announcements of ours, so that others pass each of them on. */
const everyMsMin = recordWindowMs / recordsPerAuthorMax
/** Those who come at the same time do not all speak at the same time. */
const spreadMs = 2_000
/** Nobody was there to hear it: the mesh is still forming. */
const retryMs = 2_000
/** Signs of life are spread by so much of their interval, each way. */
const jitter = 0.1

export class Announcer {
  readonly #deps: AnnouncerDeps
  readonly #topic: string
  /** What is to be said; a sign of life says what there is by then. */
  #news: Uint8Array | undefined
  #lastMs = -Infinity
  #cancelNext = (): void => {}
  #cancelSign = (): void => {}
  #isOver = false

  constructor(deps: AnnouncerDeps) {
    this.#deps = deps
    this.#topic = capabilityTopic(deps.notary.network)
  }

  /** Hears others from now on. */
  begin(): void {
    const { gossip, notary, index, clock, floorOf } = this.#deps
    const accepted = new WeakMap<Uint8Array, Signed<Capability>>()
    const { network } = notary
    const verify = (envelope: Uint8Array): void => void openEnvelope(notary.signer, network, capabilityType, envelope)
    const senses = { network, verify, floorOf }
    let filter = nobodyHeard
    gossip.subscribe(this.#topic, {
      messageBytesMax: capabilityBytesMax,
      judge: (author, envelope) => {
        const [next, judgement] = judgeRecord(filter, { author, envelope }, clock.nowMs(), senses)
        filter = next
        if (judgement.record !== undefined) accepted.set(envelope, judgement.record)
        return judgement.verdict
      },
      deliver: (_author, envelope) => {
        const record = accepted.get(envelope)
        if (record !== undefined) index.admit(record)
      },
    })
  }

  /** Announces this record of ours within moments, in the place of one that waits to be. */
  announce(envelope: Uint8Array): void {
    const { mayAnnounce } = this.#deps
    const wasWaiting = this.#news !== undefined
    this.#news = envelope
    if (mayAnnounce === undefined) this.#soon()
    else if (!wasWaiting) void mayAnnounce.then(() => this.#soon())
  }

  /** Announces at once that nothing of ours stands any more; then nothing follows. */
  async takeBack(envelope: Uint8Array): Promise<void> {
    this.stop()
    await this.#publish(envelope)
  }

  stop(): void {
    this.#isOver = true
    this.#cancelNext()
    this.#cancelSign()
  }

  #soon(): void {
    if (this.#isOver) return
    const { clock, random } = this.#deps
    const waitMs = Math.max(random.float() * spreadMs, this.#lastMs + everyMsMin - clock.monotonicMs())
    this.#cancelNext()
    this.#cancelNext = clock.after(waitMs, () => void this.#say())
  }

  async #say(): Promise<void> {
    const envelope = this.#news
    if (envelope === undefined) return
    const heard = await this.#publish(envelope)
    if (this.#isOver) return
    if (heard === 0) {
      this.#cancelNext()
      this.#cancelNext = this.#deps.clock.after(retryMs, () => void this.#say())
    } else {
      if (this.#news === envelope) this.#news = undefined
      this.#signLater()
    }
  }

  #signLater(): void {
    const { clock, random, index } = this.#deps
    const everyMs = lifeSignEveryMs(index.heard().length + 1) * (1 - jitter + 2 * jitter * random.float())
    this.#cancelSign()
    this.#cancelSign = clock.after(everyMs, () => void this.#sign())
  }

  async #sign(): Promise<void> {
    const { renew, log } = this.#deps
    try {
      const envelope = await renew()
      if (this.#isOver || envelope === undefined) return
      await this.#publish(envelope)
    } catch (error) {
      log('debug', 'no sign of life was given', { error })
    }
    if (!this.#isOver) this.#signLater()
  }

  /** Resolves with how many it was handed to. */
  async #publish(envelope: Uint8Array): Promise<number> {
    const { gossip, clock, log } = this.#deps
    this.#lastMs = clock.monotonicMs()
    try {
      return await gossip.publish(this.#topic, envelope)
    } catch (error) {
      log('debug', 'our record could not be announced', { error })
      return 0
    }
  }
}
