/** What a peer of the model is before its life begins, and how what it tells is kept. */
import type { Notary } from '../../protocols/negotiate/index.ts'
import type { Lending } from '../../src/market/offer-policy.ts'
import type { SeededRandom } from '../random.ts'
import type { Books } from './disk.ts'
import type { Vice } from './vices.ts'

export interface Told<Event> {
  readonly atMs: number
  readonly event: Event
}

export interface PeerPlan {
  readonly number: number
  readonly notary: Notary
  readonly vice: Vice | null
  readonly random: SeededRandom
  readonly books: Books
  readonly skewMs: number
  /** Null: it only asks. */
  readonly lending: Lending | null
  /** Class of the bids that it hears. */
  readonly class: string
}
