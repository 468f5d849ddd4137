/** How often one peer may ask in a window of time: what an answer costs is spent on many. */
import { countAuthor, nobodyHeard } from './author-rate.ts'
import type { PeerName } from './peer.ts'

/** Peers that are counted in one window. Beyond, new ones are not limited until it ends. */
const askersMax = 4_096

export class AskWindow {
  readonly #windowMs: number
  readonly #perPeerMax: number
  #asked = nobodyHeard

  constructor(windowMs: number, perPeerMax: number) {
    this.#windowMs = windowMs
    this.#perPeerMax = perPeerMax
  }

  /** False: the peer has asked as often as it may. */
  takes(peer: PeerName, nowMs: number): boolean {
    const [asked, before] = countAuthor(this.#asked, peer, nowMs, this.#windowMs, askersMax)
    this.#asked = asked
    return before < this.#perPeerMax
  }
}
