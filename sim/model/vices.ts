/**
 * How a peer may be dishonest. The peer itself is the one of production; a vice is what it does to the frames it sends, the meter it
 * reads, the bids it cries and the answers it gives for the DHT. All that a dishonest peer sends goes out as bytes, through the
 * codecs, so that what an honest one makes of it is what production would.
 */
import { bidSkewMsMax, sealBid, type Bid } from '../../protocols/bid/index.ts'
import { sealAward, type Award, type Notary } from '../../protocols/negotiate/index.ts'
import { sealDispute, sealReceipt } from '../../protocols/receipt/index.ts'
import { cidOfDocument, encodePublicKey, publicKeyOf, type PeerName } from '../../protocols/wire/index.ts'
import type { Carry } from '../../src/market/carry.ts'
import { encodeCarry } from '../../src/node/routes.ts'
import type { SeededRandom } from '../random.ts'

export const vices = [
  /** Says three times the time that a program ran. */
  'over-meter',
  /** Works, and never says what came of it. */
  'withhold-result',
  /** Bills more than the lease gives. */
  'over-charge',
  /** Awards at another price than was offered. */
  'cheapen',
  /** Has work done and signs for none of it. */
  'no-countersign',
  /** Has work done and disputes what it is billed. */
  'under-pay',
  /** Offers, and is not there when it is awarded. */
  'no-show',
  /** Sends old frames again, of its own and of others. */
  'replay',
  /** Sends frames with a flipped bit. */
  'corrupt',
  /** Sends statements in the name of others. */
  'forge',
  /** Signs two awards of one place, two receipts of one number. */
  'equivocate',
  /** Sends everything many times, and cries hundreds of bids, expired ones and others' among them. */
  'flood',
  /** Answers for the DHT with old, foreign and made-up things. */
  'poison',
] as const
export type Vice = (typeof vices)[number]

/** Frames that a replaying peer remembers. */
const heardMax = 64
/** How often it does so, when there is occasion to. */
const ratesDefault = { replay: 0.1, corrupt: 0.2, forge: 0.3, equivocate: 0.5 }
const floodCopies = 5
/** Over what one author may send in a minute. */
const floodBids = 660
/** It costs more than the rest of the life. */
const cryProbability = 0.2

export interface Parcel {
  readonly protocol: Carry['protocol']
  readonly frame: Uint8Array
}

export class Dishonesty {
  readonly vice: Vice
  readonly #notary: Notary
  readonly #random: SeededRandom
  readonly #others: () => readonly PeerName[]
  readonly #rates: typeof ratesDefault
  readonly #heard: Carry[] = []
  #hasCried = false

  constructor(
    vice: Vice,
    notary: Notary,
    random: SeededRandom,
    others: () => readonly PeerName[],
    rates = ratesDefault,
  ) {
    this.vice = vice
    this.#notary = notary
    this.#random = random
    this.#others = others
    this.#rates = rates
  }

  hear(carry: Carry): void {
    if (this.vice === 'replay' && this.#heard.length < heardMax) this.#heard.push(carry)
  }

  get meterFactor(): number {
    return this.vice === 'over-meter' ? 3 : 1
  }

  /** What goes out in the place of one message. */
  parcels(carry: Carry): Parcel[] {
    const instead = this.#instead(carry)
    if (instead === undefined) return []
    const parcel: Parcel = { protocol: instead.protocol, frame: encodeCarry(instead) }
    switch (this.vice) {
      case 'corrupt':
        return [this.#random.chance(this.#rates.corrupt) ? flipped(parcel, this.#random) : parcel]
      case 'forge':
        return this.#random.chance(this.#rates.forge) ? [this.#forged(parcel), parcel] : [parcel]
      case 'replay':
        if (this.#heard.length === 0 || !this.#random.chance(this.#rates.replay)) return [parcel]
        return [parcel, this.#again(this.#random.pick(this.#heard))]
      case 'equivocate': {
        const second = this.#random.chance(this.#rates.equivocate) ? this.#second(instead) : undefined
        return second === undefined ? [parcel] : [parcel, second]
      }
      case 'flood':
        return Array.from({ length: floodCopies }, () => parcel)
      default:
        return [parcel]
    }
  }

  /** A frame of another protocol: what can be done to bytes. */
  frames(frame: Uint8Array): Uint8Array[] {
    const parcel: Parcel = { protocol: 'receipt', frame }
    switch (this.vice) {
      case 'corrupt':
        return [this.#random.chance(this.#rates.corrupt) ? flipped(parcel, this.#random).frame : frame]
      case 'forge':
        return this.#random.chance(this.#rates.forge) ? [this.#forged(parcel).frame, frame] : [frame]
      case 'flood':
        return Array.from({ length: floodCopies }, () => frame)
      default:
        return [frame]
    }
  }

  /** Bids that are cried beside the first honest one: of as many jobs, half of them too late. */
  bids(bid: Bid): Uint8Array[] {
    if (this.vice !== 'flood' || this.#hasCried) return []
    this.#hasCried = true
    if (!this.#random.chance(cryProbability)) return []
    const { signer, network } = this.#notary
    const termMs = bid.expiresMs - bid.issuedMs
    return Array.from({ length: floodBids }, (_, index) => {
      const issuedMs = index % 8 === 0 ? bid.issuedMs - termMs - 2 * bidSkewMsMax : bid.issuedMs
      const job = cidOfDocument(Uint8Array.of(index, this.#random.between(0, 255)))
      return sealBid(signer, network, { ...bid, job, issuedMs, expiresMs: issuedMs + termMs })
    })
  }

  #again(carry: Carry): Parcel {
    return { protocol: carry.protocol, frame: encodeCarry(carry) }
  }

  #instead(carry: Carry): Carry | undefined {
    const { message } = carry
    switch (this.vice) {
      case 'withhold-result':
        return message.say === 'result' ? undefined : carry
      case 'no-countersign':
        return message.say === 'countersignature' ? undefined : carry
      case 'no-show':
        return message.say === 'accept' ? undefined : carry
      case 'over-charge': {
        if (message.say !== 'receipt') return carry
        const body = { ...message.receipt.body, amountMicro: message.receipt.body.amountMicro * 2 + 1 }
        return { protocol: 'receipt', message: { say: 'receipt', receipt: sealReceipt(this.#notary, body) } }
      }
      case 'cheapen': {
        if (message.say !== 'award') return carry
        const terms: Award = { ...message.award.body, cpuHourMicro: 1 }
        return { protocol: 'negotiate', message: { say: 'award', award: sealAward(this.#notary, terms) } }
      }
      case 'under-pay': {
        if (message.say !== 'countersignature') return carry
        const { lease, sequence, receipt, issuedMs } = message.countersignature.body
        const body = { lease, sequence, receipt, refusal: { code: 'WALL_TIME', facts: {} }, issuedMs }
        return { protocol: 'receipt', message: { say: 'dispute', dispute: sealDispute(this.#notary, body) } }
      }
      default:
        return carry
    }
  }

  /** The same statement with another's key in the envelope. */
  #forged({ protocol, frame }: Parcel): Parcel {
    const mine = encodePublicKey(this.#notary.signer.publicKey)
    const theirs = encodePublicKey(publicKeyOf(this.#random.pick(this.#others())))
    const at = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).indexOf(mine)
    if (at < 0) return { protocol, frame }
    const forged = frame.slice()
    forged.set(theirs, at)
    return { protocol, frame: forged }
  }

  /** A second statement that excludes the first. */
  #second(carry: Carry): Parcel | undefined {
    const { message } = carry
    if (message.say === 'award') {
      const terms: Award = { ...message.award.body, ceilingMicro: message.award.body.ceilingMicro + 1 }
      return this.#again({
        protocol: 'negotiate',
        message: { say: 'award', award: sealAward(this.#notary, terms) },
      })
    }
    if (message.say === 'receipt') {
      const body = { ...message.receipt.body, issuedMs: message.receipt.body.issuedMs + 1 }
      return this.#again({ protocol: 'receipt', message: { say: 'receipt', receipt: sealReceipt(this.#notary, body) } })
    }
    return undefined
  }
}

function flipped({ protocol, frame }: Parcel, random: SeededRandom): Parcel {
  const bad = frame.slice()
  const bit = random.between(0, bad.byteLength * 8 - 1)
  bad[bit >> 3]! ^= 1 << (bit & 7)
  return { protocol, frame: bad }
}
