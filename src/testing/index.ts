/** `pleach/testing`: real peers in this process, for tests of programs that embed one. */
import { ControlError } from '../control/api.ts'
import type { OfferOptions } from '../config/options.ts'
import { realClock } from '../environment.ts'
import { createPeer, type EmbeddedPeer } from '../sdk/peer.ts'
import { SeededRandom } from './seeded-random.ts'

export { SeededRandom }

export interface TestnetOptions {
  /** From 2 to 50; each takes some tens of MB. */
  readonly peers?: number
  /** The same seed gives the same keys, names and choices by chance; what the network does in between is real, and takes its time. */
  readonly seed?: number
  /** What the peer of this number lends, counted from 1; the first peer, of number 0, lends nothing. */
  readonly offer?: (index: number) => Partial<OfferOptions>
  readonly signal?: AbortSignal
}

const peersDefault = 5
const peersMin = 2
const peersMax = 50
/** How long the first peer may take to know the others. */
const knowsWithinMs = 20_000
const lookAgainMs = 50

/** Peers over TCP on 127.0.0.1, the first of which knows what the others lend. */
export async function testnet(options: TestnetOptions = {}): Promise<Testnet> {
  const { peers: count = peersDefault, seed = 1, offer = () => ({}), signal } = options
  if (!Number.isInteger(count) || count < peersMin || count > peersMax) {
    throw new ControlError({
      code: 'BAD_SPEC',
      what: `${count} is no number of peers for a testnet`,
      why: `it has ${peersMin} to ${peersMax}`,
      cure: 'testnet({ peers: 5 })',
      exit: 2,
    })
  }
  const made: EmbeddedPeer[] = []
  try {
    const common = { network: `testnet-${seed}`, workers: 1, ...(signal === undefined ? {} : { signal }) }
    const of = (index: number): SeededRandom => SeededRandom.of(seed, 'testnet', index)
    const first = await createPeer({ ...common, random: of(0) })
    made.push(first)
    const bootstrap = first.addresses()
    const others = await Promise.allSettled(
      Array.from({ length: count - 1 }, async (_, index) =>
        createPeer({ ...common, bootstrap, random: of(index + 1), offer: offer(index + 1) }),
      ),
    )
    for (const one of others) if (one.status === 'fulfilled') made.push(one.value)
    for (const one of others) if (one.status === 'rejected') throw one.reason
    await knowsAll(first, made.slice(1), signal)
    return new Testnet(made)
  } catch (error) {
    await Promise.all(made.map(async (peer) => peer.stop()))
    throw error
  }
}

export class Testnet implements AsyncDisposable {
  readonly peers: readonly EmbeddedPeer[]

  constructor(peers: readonly EmbeddedPeer[]) {
    this.peers = peers
  }

  /** The first: it lends nothing, and knows what the others lend. */
  get requester(): EmbeddedPeer {
    return this.peers[0]!
  }

  get providers(): readonly EmbeddedPeer[] {
    return this.peers.slice(1)
  }

  async stop(): Promise<void> {
    await Promise.all(this.peers.map(async (peer) => peer.stop()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

async function knowsAll(first: EmbeddedPeer, others: readonly EmbeddedPeer[], signal?: AbortSignal): Promise<void> {
  using deadline = realClock.deadline(knowsWithinMs, signal)
  const until = deadline.signal
  for (;;) {
    const known = new Set((await first.control.offers(true, until)).map(({ peer }) => peer))
    if (others.every(({ id }) => known.has(id))) return
    await realClock.sleep(lookAgainMs, until)
  }
}
