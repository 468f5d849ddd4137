/** The owner's brakes on work for others, carried out: `pause`, idle-only, heat. A pause outlives a restart of the peer. */
import { z } from 'zod'

import { refusal } from '../../protocols/wire/index.ts'
import type { OfferPolicy } from '../config/options.ts'
import type { Clock, Log } from '../environment.ts'
import type { KeyValue } from '../host/index.ts'
import { brakeWakeAtMs, released, stepBrakes, type BrakeInput, type BrakeState } from '../market/brakes.ts'
import type { ProviderDesk } from '../market/provider-desk.ts'
import { watchHeat } from './heat-watch.ts'
import { watchIdleness } from './idle-watch.ts'

const key = '/pause'
const keptSchema = z.strictObject({ untilMs: z.number().nullable() })
/** What is started while all is held is found by holding again. */
const holdAgainMs = 1_000

export interface BrakesDeps {
  readonly clock: Clock
  readonly log: Log
  readonly memory: KeyValue
  readonly provider: Pick<ProviderDesk, 'evict' | 'inUse'> & { readonly bids: Pick<ProviderDesk['bids'], 'rest'> }
  /** Holds all that runs for others, or lets it go on. */
  readonly hold: (isHeld: boolean) => void
}

export class OwnerBrakes {
  readonly #deps: BrakesDeps
  #state: BrakeState = released
  #cancelWake = (): void => {}
  #cancelHold = (): void => {}

  constructor(deps: BrakesDeps) {
    this.#deps = deps
  }

  get state(): BrakeState {
    return this.#state
  }

  /** Recalls a pause, and watches owner and heat as the policy says. The returned function ends it. */
  begin(policy: OfferPolicy | undefined): () => void {
    const { clock, provider } = this.#deps
    this.#recall()
    const ends = [
      () => this.#cancelWake(),
      () => this.#cancelHold(),
      ...(policy?.idleOnly === true
        ? [
            watchIdleness({
              clock,
              // What is held uses nothing.
              lentMilli: () => (this.#state.reasons.length > 0 ? 0 : provider.inUse().cpuMilli),
              onChange: (isIdle) => this.#take({ is: 'owner', isActive: !isIdle }),
            }),
          ]
        : []),
      ...(policy?.celsiusMax == null
        ? []
        : [
            watchHeat({ clock, celsiusMax: policy.celsiusMax, onChange: (isHot) => this.#take({ is: 'heat', isHot }) }),
          ]),
    ]
    return () => {
      for (const end of ends) end()
    }
  }

  /** `untilMs` null: until it is ended. `now`: what runs is handed back at once. */
  pause(untilMs: number | null, now: boolean): void {
    this.#take({ is: 'pause', untilMs, now })
    this.#keep(JSON.stringify({ untilMs }))
  }

  resume(): void {
    this.#take({ is: 'resume' })
    this.#keep(null)
  }

  /** What else stops new work: no room, a doubt. */
  take(input: Extract<BrakeInput, { is: 'room' | 'doubt' }>): void {
    this.#take(input)
  }

  #take(input: BrakeInput): void {
    const { clock, provider, log } = this.#deps
    const [next, effects] = stepBrakes(this.#state, input, clock.nowMs())
    this.#state = next
    for (const effect of effects) {
      if (effect.do === 'rest') provider.bids.rest(effect.because === null ? null : refusal(effect.because))
      else if (effect.do === 'hold') this.#hold(effect.isHeld)
      else {
        log('info', 'work for others is handed back', { because: next.reasons.join() })
        provider.evict()
      }
    }
    this.#cancelWake()
    const atMs = brakeWakeAtMs(next)
    if (atMs !== undefined)
      this.#cancelWake = clock.after(Math.min(Math.max(0, atMs - clock.nowMs()), timerMsMax), () =>
        this.#take({ is: 'wake' }),
      )
  }

  #hold(isHeld: boolean): void {
    const { clock, hold } = this.#deps
    this.#cancelHold()
    hold(isHeld)
    if (isHeld) this.#cancelHold = clock.after(holdAgainMs, () => this.#hold(true))
  }

  #recall(): void {
    const { memory, clock, log } = this.#deps
    try {
      const bytes = memory.get(key)
      if (bytes === undefined) return
      const { untilMs } = keptSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
      if (untilMs === null || untilMs > clock.nowMs()) this.#take({ is: 'pause', untilMs, now: false })
    } catch (error) {
      log('warn', 'whether work is paused cannot be read', { error })
    }
  }

  #keep(text: string | null): void {
    const { memory, log } = this.#deps
    try {
      if (text === null) memory.delete(key)
      else memory.put(key, new TextEncoder().encode(text))
    } catch (error) {
      log('warn', 'a pause is not kept over a restart', { error })
    }
  }
}

/** The longest that a timer of Node can wait: 24.8 days. What wakes too soon waits again. */
const timerMsMax = 2 ** 31 - 1
