/** Settling between two peers, as the rest of the program sees it. */
import { concat, fromString } from 'uint8arrays'

import { manifestBytesMax, type Award } from '../negotiate/messages.ts'
import type { Countersignature, Receipt } from '../receipt/messages.ts'
import {
  domainOf,
  sha256,
  type Micro,
  type PeerName,
  type ProtocolLimits,
  type Signed,
  type StatementType,
} from '../wire/index.ts'

export const settleProtocol = '/pleach/settle/1'

export const statementType: StatementType = { name: 'settlement', version: 1 }
export const differenceType: StatementType = { name: 'settlement-difference', version: 1 }
export const agreementType: StatementType = { name: 'settlement-agreement', version: 1 }

/** Leases in one statement, taken in or disputed; what does not fit waits for the next. */
export const entriesMax = 256
/** Proofs beside one message. */
export const evidenceMax = 32
/** Bonds that one statement takes in. Beside each goes the AWARD that names it, with its manifest; what does not fit waits for the next. */
export const forfeitsMax = 2
export const settleLimits: ProtocolLimits = {
  frameBytesMax: 128 * 1024 + forfeitsMax * (manifestBytesMax + 16 * 1024),
  streamsPerPeerMax: 4,
}
/** Each of the two envelopes of a proof. */
export const evidenceBytesMax = 1_024
/** A unit of account's name. */
export const unitCharsMax = 64
/** Revisions that a proposer makes of one number before it waits for its owner to try again, … */
export const roundsMax = 4
/** … and in all. */
export const revisionMax = 65_535
/** A proposal that is not answered is sent again after this, … */
export const settleRetransmitMs = 2_000
/** … and no more after this, until the owner tries again. */
export const answerWithinMs = 30_000

/**
 * Why an entry is not agreed to. `HOLDS_MORE`: a later receipt is signed by both, and here it is. `HOLDS_LESS`: this one is not
 * known here as signed by both. `RECEIPT_DIFFERS`: with this number another one is.
 */
export type ObjectionCode = 'HOLDS_MORE' | 'HOLDS_LESS' | 'RECEIPT_DIFFERS'
export const objectionCodes: readonly string[] = [
  'HOLDS_MORE',
  'HOLDS_LESS',
  'RECEIPT_DIFFERS',
] satisfies ObjectionCode[]

/** A receipt that both have signed, as a pointer. */
export interface Held {
  readonly sequence: number
  /** SHA-256 of the receipt's envelope. */
  readonly receipt: Uint8Array
  /** Owed in all under the lease, as the receipt says. */
  readonly amountMicro: Micro
}

export interface Entry extends Held {
  /** Hex. */
  readonly lease: string
  /** Who worked, and is owed. */
  readonly provider: PeerName
  /** Of this lease in all statements agreed before. */
  readonly settledMicro: Micro
}

export interface Disputed {
  readonly lease: string
  readonly provider: PeerName
  readonly code: ObjectionCode
  readonly proposerHolds: Held
  readonly otherHolds: Held | null
}

/** The bond of a lease whose provider signed two things of which only one can be. */
export interface Forfeit {
  readonly lease: string
  /** Who owes it. */
  readonly provider: PeerName
  readonly bondMicro: Micro
  /** SHA-256 of the envelopes of the two. */
  readonly first: Uint8Array
  readonly second: Uint8Array
}

export interface Totals {
  readonly lowerEarnedMicro: Micro
  readonly higherEarnedMicro: Micro
  /** What each forfeits to the other. */
  readonly lowerForfeitedMicro: Micro
  readonly higherForfeitedMicro: Micro
  readonly netMicro: Micro
  /** Who owes the net; empty when it is 0. */
  readonly debtor: PeerName
}

export interface Statement extends Totals {
  readonly lower: PeerName
  readonly higher: PeerName
  readonly unit: string
  readonly number: number
  readonly revision: number
  /** SHA-256 of the envelope of the statement agreed before, or `originOf` the pair. */
  readonly previous: Uint8Array
  /** SHA-256 of the envelope of the difference that this revision answers; empty in revision 1. */
  readonly answers: Uint8Array
  readonly entries: readonly Entry[]
  readonly disputed: readonly Disputed[]
  readonly forfeits: readonly Forfeit[]
  readonly issuedMs: number
}

export interface Objection {
  readonly lease: string
  readonly code: ObjectionCode
  readonly holds: Held | null
}

export interface Difference {
  readonly unit: string
  readonly number: number
  readonly revision: number
  readonly statement: Uint8Array
  readonly objections: readonly Objection[]
  readonly issuedMs: number
}

export interface Agreement {
  readonly unit: string
  readonly number: number
  readonly revision: number
  readonly statement: Uint8Array
  readonly issuedMs: number
}

/** Both signatures under one amount: it proves itself to anybody. */
export interface Evidence {
  readonly receipt: Signed<Receipt>
  readonly countersignature: Signed<Countersignature>
}

export interface ForfeitEnvelopes {
  readonly award: Uint8Array
  readonly first: Uint8Array
  readonly second: Uint8Array
}

/** The lease, with the bond, and two statements of its provider that exclude each other: it proves itself to anybody. */
export interface ForfeitProof {
  readonly award: Signed<Award>
  readonly first: Uint8Array
  readonly second: Uint8Array
}

/** Both signatures under one statement. */
export interface Agreed {
  readonly statement: Signed<Statement>
  readonly agreement: Signed<Agreement>
}

export type Settling =
  | {
      readonly say: 'propose'
      readonly statement: Signed<Statement>
      readonly evidence: readonly Evidence[]
      /** One for each forfeit. */
      readonly forfeits: readonly ForfeitProof[]
    }
  | { readonly say: 'agree'; readonly agreement: Signed<Agreement> }
  | { readonly say: 'differ'; readonly difference: Signed<Difference>; readonly evidence: readonly Evidence[] }
  | { readonly say: 'agreed'; readonly statement: Signed<Statement>; readonly agreement: Signed<Agreement> }

/** Two peers in the order of the bytes of their names: base58 is ASCII, so the order of the texts is that of the bytes. */
export function pairOf(one: PeerName, other: PeerName): { readonly lower: PeerName; readonly higher: PeerName } {
  return one < other ? { lower: one, higher: other } : { lower: other, higher: one }
}

/** What the first statement of a pair names as the one before: nothing else hashes to it, on no other network. */
export function originOf(network: string, one: PeerName, other: PeerName, unit: string): Uint8Array {
  const { lower, higher } = pairOf(one, other)
  const parts = [domainOf(statementType, network), lower, higher, unit].map((text) => fromString(text))
  return sha256(concat(parts.flatMap((part) => [Uint8Array.of(part.byteLength >>> 8, part.byteLength & 0xff), part])))
}

/** What entries and forfeits add up to, or undefined when it is more than an amount may be. */
export function totalsOf(
  lower: PeerName,
  higher: PeerName,
  entries: readonly Entry[],
  forfeits: readonly Forfeit[] = [],
): Totals | undefined {
  let [lowerEarned, higherEarned, lowerForfeited, higherForfeited] = [0n, 0n, 0n, 0n]
  for (const { provider, amountMicro, settledMicro } of entries) {
    const added = BigInt(amountMicro) - BigInt(settledMicro)
    if (provider === lower) lowerEarned += added
    else higherEarned += added
  }
  for (const { provider, bondMicro } of forfeits) {
    if (provider === lower) lowerForfeited += BigInt(bondMicro)
    else higherForfeited += BigInt(bondMicro)
  }
  const [toLower, toHigher] = [lowerEarned + higherForfeited, higherEarned + lowerForfeited]
  if (toLower > BigInt(Number.MAX_SAFE_INTEGER) || toHigher > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
  return {
    lowerEarnedMicro: Number(lowerEarned),
    higherEarnedMicro: Number(higherEarned),
    lowerForfeitedMicro: Number(lowerForfeited),
    higherForfeitedMicro: Number(higherForfeited),
    netMicro: Number(toLower > toHigher ? toLower - toHigher : toHigher - toLower),
    debtor: toLower === toHigher ? '' : toLower < toHigher ? lower : higher,
  }
}

/** The account that a message belongs to, beside who sent it. */
export function unitOf(message: Settling): string {
  switch (message.say) {
    case 'propose':
    case 'agreed':
      return message.statement.body.unit
    case 'agree':
      return message.agreement.body.unit
    case 'differ':
      return message.difference.body.unit
    default:
      return message satisfies never
  }
}
