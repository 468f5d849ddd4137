/** What one peer of the model thinks of others in one life: standing, references and introductions as in production. */
import {
  decodeReferring,
  encodeReferring,
  openReferences,
  referencesMax,
  type Reference,
  type ShownReference,
} from '../../protocols/references/index.ts'
import { refusal, RefusedError, type Fault, type PeerName } from '../../protocols/wire/index.ts'
import { silentLog } from '../../src/environment.ts'
import type { JobEvent } from '../../src/market/job-events.ts'
import { placesOf, type JobState } from '../../src/market/job-state.ts'
import { Introductions } from '../../src/node/introductions.ts'
import { Outcomes } from '../../src/node/outcomes.ts'
import { Reputation } from '../../src/reputation/reputation.ts'
import { ShownReferences } from '../../src/reputation/shown-references.ts'
import type { OpenBooks } from './disk.ts'
import type { LifeClock } from './life.ts'
import { LightSignal } from './light-signal.ts'
import type { PeerPlan } from './peer-plan.ts'
import { ReferenceShelf } from './reference-shelf.ts'
import { foundOutMs, seenThroughShare, type Trick } from './sybils.ts'

export interface RegardDeps {
  readonly plan: PeerPlan
  readonly life: LifeClock
  readonly said: ConstructorParameters<typeof ReferenceShelf>[2]
  readonly open: OpenBooks
  readonly stateOf: (job: string) => JobState | undefined
  /** Sends a question; `hear` is called with what is answered, if anything is. */
  readonly ask: (peer: PeerName, hear: (frame: Uint8Array) => void) => void
  readonly onFault: (peer: PeerName, fault: Fault) => void
  /** What a name of the clique does with work; null of anybody else. */
  readonly trickOf: (peer: PeerName) => Trick | null
}

export class ModelRegard {
  readonly reputation: Reputation
  readonly outcomes: Outcomes
  readonly #deps: RegardDeps
  readonly #shelf: ReferenceShelf
  readonly #introductions: Introductions
  /** Never fires, and goes with this life: one for all lives would keep what waits in each of them. */
  readonly #signal = new LightSignal().asSignal

  constructor(deps: RegardDeps) {
    this.#deps = deps
    const { plan, life, open, stateOf, onFault } = deps
    const references = new ShownReferences('credit')
    const nowMs = (): number => life.nowMs()
    this.#shelf = new ReferenceShelf(plan.notary, plan.books, deps.said)
    this.reputation = new Reputation(
      {
        of: (peer) => open.of(peer),
        change: (peer, doing, next) => open.change(peer, doing, next),
        provenMs: () => undefined,
      },
      references,
      nowMs,
    )
    this.#introductions = new Introductions({
      clock: life,
      log: silentLog,
      reputation: this.reputation,
      references,
      ask: async (peer, signal) => this.#ask(peer, signal),
      onFault,
    })
    this.outcomes = new Outcomes({ self: plan.notary.signer.peer, reputation: this.reputation, stateOf, nowMs })
  }

  onJob(job: string, event: JobEvent): void {
    if (event.stage === 'offered') this.#introductions.onOffer(event.peer, this.#signal)
    this.outcomes.onJob(job, event)
  }

  /** What is answered to a question. `lies`: of who has many names, beside what others were made to sign. */
  shown(lies: readonly ShownReference[]): Uint8Array {
    return encodeReferring({ say: 'references', shown: [...lies, ...this.#shelf.shown()].slice(0, referencesMax) })
  }

  /** Whether what was fetched is what was asked for. A fake is seen through at once, or found out when it is used. */
  inspect(job: string): void {
    const { plan, life, stateOf, trickOf } = this.#deps
    const state = stateOf(job)
    if (state === undefined) return
    for (const place of placesOf(state)) {
      const peer = place.at === 'collecting' ? place.work.lease.provider : undefined
      if (peer === undefined || trickOf(peer) !== 'fake-result') continue
      if (plan.random.chance(seenThroughShare)) throw new RefusedError(refusal('OBJECT_INCONSISTENT'))
      life.post(plan.random.between(...foundOutMs), () =>
        this.reputation.note(peer, state.terms.requirements.runtime, { sight: 'fault', evidence: 'a fake result' }),
      )
    }
  }

  async #ask(peer: PeerName, signal: AbortSignal): Promise<readonly Reference[]> {
    const { plan, life } = this.#deps
    const { promise, resolve, reject } = Promise.withResolvers<readonly Reference[]>()
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    this.#deps.ask(peer, (frame) =>
      life.live(() => {
        try {
          const answer = decodeReferring(frame)
          resolve(answer.say === 'references' ? openReferences(plan.notary, peer, answer.shown) : [])
        } catch (error) {
          reject(error)
        }
      }),
    )
    return promise
  }
}
