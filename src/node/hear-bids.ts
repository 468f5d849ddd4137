/** Bids that are gossiped in a class of jobs: judged before they are passed on, and handed over when they come to us. */
import { bidBytesMax, bidTopic, judgeBid, openBid, type Bid } from '../../protocols/bid/index.ts'
import { nobodyHeard, type Gossip, type Notary, type Signed } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'

/** The topic is never left: whoever leaves one is kept out of its mesh for a while, and we may be back in a second. */
export function hearBids(
  { gossip, notary, clock }: { readonly gossip: Gossip; readonly notary: Notary; readonly clock: Clock },
  bidClass: string,
  onBid: (bid: Signed<Bid>) => void,
): void {
  const { signer, network } = notary
  /** What was judged lawful, until it is delivered: gossip hands the same bytes to both. */
  const accepted = new WeakMap<Uint8Array, Signed<Bid>>()
  const open = (envelope: Uint8Array): Signed<Bid> => openBid(signer, network, envelope)
  let filter = nobodyHeard
  gossip.subscribe(bidTopic(network, bidClass), {
    messageBytesMax: bidBytesMax,
    judge: (author, envelope) => {
      const [next, judgement] = judgeBid(filter, { author, envelope, class: bidClass }, clock.nowMs(), open)
      filter = next
      if (judgement.bid !== undefined) accepted.set(envelope, judgement.bid)
      return judgement.verdict
    },
    deliver: (_author, envelope) => {
      const bid = accepted.get(envelope)
      if (bid !== undefined) onBid(bid)
    },
  })
}
