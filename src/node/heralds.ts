/** Adverts of objects: placed one after the other, because each is some fifty messages. */
import { objectAdvert } from '../../protocols/placement/index.ts'
import type { Bulletin } from '../../protocols/wire/index.ts'
import type { Clock, Log } from '../environment.ts'

/** One advert. */
const advertWithinMs = 20_000
/** Adverts that wait; beyond, a new one is not placed until the next round. */
const waitingMax = 256

export class Heralds {
  readonly #bulletin: Pick<Bulletin, 'advertise'>
  readonly #network: string
  readonly #clock: Clock
  readonly #log: Log
  readonly #waiting = new Set<string>()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(bulletin: Pick<Bulletin, 'advertise'>, network: string, clock: Clock, log: Log) {
    this.#bulletin = bulletin
    this.#network = network
    this.#clock = clock
    this.#log = log
  }

  advertise(object: string): void {
    if (this.#waiting.size >= waitingMax || this.#stop.signal.aborted) return
    this.#waiting.add(object)
    this.#running ??= this.#run().finally(() => (this.#running = undefined))
  }

  /** Resolves when every advert is placed that waited, or could not be. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async stop(): Promise<void> {
    this.#stop.abort(new Error('the peer stops'))
    await this.#running
  }

  async #run(): Promise<void> {
    for (const object of this.#waiting) {
      this.#waiting.delete(object)
      if (this.#stop.signal.aborted) return
      using deadline = this.#clock.deadline(advertWithinMs, this.#stop.signal)
      try {
        await this.#bulletin.advertise(objectAdvert(this.#network, object), deadline.signal)
      } catch (error) {
        this.#log('debug', 'an object could not be advertised', { object, error })
      }
    }
  }
}
