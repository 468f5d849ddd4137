/** What each kind of vector is decoded by, and encoded by: test/vectors/README.md in code. */
import assert from 'node:assert/strict'

import { fromString, toString } from 'uint8arrays'

import { openBid, sealBid, type Bid } from '../../../protocols/bid/index.ts'
import { openCapability, sealCapability, type Capability } from '../../../protocols/capability/index.ts'
import { decodeDiscovery, encodeDiscovery, type Discovery } from '../../../protocols/discover/index.ts'
import {
  decodeObjectManifest,
  encodeObjectManifest,
  verifyProof,
  type ObjectManifest,
} from '../../../protocols/erasure/index.ts'
import {
  decodeExecution,
  decodeJobManifest,
  encodeExecution,
  encodeJobManifest,
  openResult,
  sealResult,
  type Execution,
  type JobManifest,
  type ResultDocument,
} from '../../../protocols/execute/index.ts'
import { decodeForward, encodeForward, type Forward } from '../../../protocols/forward/index.ts'
import { decodeInquiry, encodeInquiry, sealQuote, type Inquiry } from '../../../protocols/inquire/index.ts'
import {
  decodeNegotiation,
  encodeNegotiation,
  sealAccept,
  sealAward,
  sealCommit,
  sealOffer,
  type Negotiation,
} from '../../../protocols/negotiate/index.ts'
import {
  decodeEvidence,
  encodeEvidence,
  provesEquivocation,
  type Evidence as Proof,
} from '../../../protocols/evidence/index.ts'
import {
  decodeBilling,
  encodeBilling,
  sealCountersignature,
  sealDispute,
  sealReceipt,
  type Billing,
} from '../../../protocols/receipt/index.ts'
import {
  decodeReferring,
  encodeReferring,
  openReferences,
  type Referring,
} from '../../../protocols/references/index.ts'
import {
  decodeSettling,
  encodeSettling,
  sealAgreement,
  sealDifference,
  sealStatement,
  type Evidence,
  type Settling,
} from '../../../protocols/settle/index.ts'
import {
  decodeStorage,
  encodeStorage,
  sealStorageCountersignature,
  sealStorageReceipt,
  type StorageMessage,
} from '../../../protocols/storage/index.ts'
import {
  decodePlacementMessage,
  drawLeaves,
  encodePlacementMessage,
  openPlacement,
  sealPlacement,
  type Placement,
  type PlacementMessage,
} from '../../../protocols/placement/index.ts'
import { decodeVouching, encodeVouching, sealKey, sealTerms, type Vouching } from '../../../protocols/voucher/index.ts'
import { decodeTransfer, encodeTransfer, type Transfer } from '../../../protocols/transfer/index.ts'
import {
  Fault,
  FrameDecoder,
  cidOfDocument,
  decodePublicKey,
  encodeFrame,
  hashBytes,
  openEnvelope,
  peerNameOf,
  publicKeyOf,
  sealEnvelope,
  sha256,
  type PeerName,
  type StatementType,
} from '../../../protocols/wire/index.ts'
import { parseMessage } from '../../../protocols/wire/message.ts'
import { EnvelopeSchema } from '../../../protocols/wire/wire_pb.ts'
import { signer } from '../../support/peers.ts'

export const network = 'vectors'

/** Who signs: the private seed of each is the SHA-256 of one byte. */
export const keys = ['requester', 'provider', 'stranger'].map((name, index) => {
  const { peer, publicKey } = signer(index + 1)
  return { name, seed: sha256(Uint8Array.of(index + 1)), publicKey, peer }
})
export const [asker, worker, stranger] = [1, 2, 3].map((seed) => ({ network, signer: signer(seed) })) as [
  { network: string; signer: ReturnType<typeof signer> },
  { network: string; signer: ReturnType<typeof signer> },
  { network: string; signer: ReturnType<typeof signer> },
]

function notaryOf(peer: PeerName) {
  const found = [asker, worker, stranger].find((one) => one.signer.peer === peer)
  assert.ok(found !== undefined, `${peer} is none of the keys`)
  return found
}

/** What one must know besides the bytes. */
export interface Context {
  readonly type?: StatementType
  readonly frameBytesMax?: number
  readonly nowMs?: number
  readonly peer?: string
  readonly root?: string
  readonly leaf?: number
  readonly leaves?: number
  readonly leafHash?: string
}

interface Kind<Value> {
  /** Throws a Fault. */
  readonly decode: (bytes: Uint8Array, context: Context) => Value
  readonly encode: (value: Value, context: Context) => Uint8Array
}

const kind = <Value>(decode: Kind<Value>['decode'], encode: Kind<Value>['encode']) =>
  ({ decode, encode }) as Kind<unknown>

export const kinds: Readonly<Record<string, Kind<unknown>>> = {
  envelope: kind(
    (bytes, { type }) => {
      const { by } = openEnvelope(asker.signer, network, type!, bytes)
      const { publicKey, payloadType, payload, signature } = parseMessage(EnvelopeSchema, bytes)
      return {
        by,
        publicKey: decodePublicKey(publicKey),
        payloadType: toString(payloadType),
        payload,
        signature,
      }
    },
    ({ by, payload }, { type }) => sealEnvelope(notaryOf(by).signer, network, type!, payload),
  ),
  frames: kind(
    (bytes, { frameBytesMax }) => {
      const decoder = new FrameDecoder(frameBytesMax!)
      const frames = decoder.push(bytes)
      decoder.end()
      return { frames }
    },
    ({ frames }) => Uint8Array.from(frames.flatMap((frame) => [...encodeFrame(frame)])),
  ),
  'peer-name': kind(
    (bytes) => ({ peer: toString(bytes), publicKey: publicKeyOf(toString(bytes)) }),
    ({ publicKey }) => fromString(peerNameOf(publicKey)),
  ),
  capability: kind(
    (bytes, { nowMs }) => bodyOf(openCapability(asker.signer, network, bytes, nowMs!)),
    ({ by, body }: { by: string; body: Capability }) => sealCapability(notaryOf(by).signer, network, body),
  ),
  bid: kind(
    (bytes) => bodyOf(openBid(asker.signer, network, bytes)),
    ({ by, body }: { by: string; body: Bid }) => sealBid(notaryOf(by).signer, network, body),
  ),
  negotiation: kind((bytes) => decodeNegotiation(asker, bytes), encodeSignedNegotiation),
  'job-manifest': kind(
    (bytes) => ({ cid: cidOfDocument(bytes), document: decodeJobManifest(bytes) }),
    ({ document }: { document: JobManifest }) => encodeJobManifest(document).bytes,
  ),
  'object-manifest': kind(
    (bytes) => ({ cid: cidOfDocument(bytes), document: decodeObjectManifest(bytes) }),
    ({ document }: { document: ObjectManifest }) => encodeObjectManifest(document).bytes,
  ),
  'merkle-proof': kind(
    (bytes, { root, leaf, leaves, leafHash }) => {
      const proof = Array.from({ length: bytes.byteLength / hashBytes }, (_, index) =>
        bytes.slice(index * hashBytes, (index + 1) * hashBytes),
      )
      if (!verifyProof(fromString(root!, 'hex'), leaf!, leaves!, fromString(leafHash!, 'hex'), proof))
        throw new Fault('PROOF_INVALID', 'the proof does not lead to the root')
      return { proof }
    },
    ({ proof }) => Uint8Array.from(proof.flatMap((step) => [...step])),
  ),
  execution: kind(
    (bytes) => decodeExecution(bytes),
    (message: Execution) => encodeExecution(message),
  ),
  result: kind(
    (bytes) => {
      const { by, cid, body } = openResult(asker, bytes)
      return { by, cid, document: body }
    },
    ({ by, document }: { by: string; document: ResultDocument }) => sealResult(notaryOf(by), document).envelope,
  ),
  billing: kind((bytes) => decodeBilling(asker, bytes), encodeSignedBilling),
  storing: kind((bytes) => decodeStorage(asker, bytes), encodeSignedStorage),
  settling: kind((bytes) => decodeSettling(asker, bytes), encodeSignedSettling),
  vouching: kind((bytes) => decodeVouching(asker, bytes), encodeSignedVouching),
  evidence: kind(
    (bytes) => {
      const evidence = decodeEvidence(bytes)
      return { ...evidence, proves: provesEquivocation(asker, evidence) }
    },
    ({ first, second }: Proof) => encodeEvidence({ first, second }),
  ),
  referring: kind(
    (bytes, { peer }) => {
      const message = decodeReferring(bytes)
      if (message.say !== 'references') return message
      const reads = openReferences(asker, peer!, message.shown)
      return { say: message.say, shown: message.shown.map((one, index) => ({ ...one, reads: reads[index]! })) }
    },
    (message: Referring) => encodeReferring(message),
  ),
  discovery: kind(decodeDiscovery, (message: Discovery) => encodeDiscovery(message)),
  forward: kind(decodeForward, (message: Forward) => encodeForward(message)),
  inquiry: kind((bytes) => decodeInquiry(asker, bytes), encodeSignedInquiry),
  placement: kind(
    (bytes, { nowMs }) => bodyOf(openPlacement(asker.signer, network, bytes, nowMs!)),
    ({ by, body }: { by: string; body: Placement }) => sealPlacement(notaryOf(by).signer, network, body),
  ),
  placing: kind(
    (bytes) => decodePlacementMessage(bytes),
    (message: PlacementMessage) => encodePlacementMessage(message),
  ),
  'audit-draw': kind(
    (nonce, { peer, root, leaves }) => ({ nonce, drawn: drawLeaves(nonce, peer!, fromString(root!, 'hex'), leaves!) }),
    ({ nonce }) => nonce,
  ),
  transfer: kind(
    (bytes) => decodeTransfer(bytes),
    (message: Transfer) => encodeTransfer(message),
  ),
}

const bodyOf = <Body>({ by, body }: { by: PeerName; body: Body }) => ({ by, body })

/** From the bodies, so that the envelopes are made again. */
function encodeSignedNegotiation(message: Negotiation): Uint8Array {
  switch (message.say) {
    case 'offer':
      return encodeNegotiation({ ...message, offer: sealOffer(notaryOf(message.offer.by), message.offer.body) })
    case 'award':
      return encodeNegotiation({ ...message, award: sealAward(notaryOf(message.award.by), message.award.body) })
    case 'accept':
      return encodeNegotiation({ ...message, accept: sealAccept(notaryOf(message.accept.by), message.accept.body) })
    case 'commit':
      return encodeNegotiation({ ...message, commit: sealCommit(notaryOf(message.commit.by), message.commit.body) })
    case 'refuse':
    case 'release':
      return encodeNegotiation(message)
    default:
      throw new Error(`no vector says ${(message as { say: string }).say}`)
  }
}

function encodeSignedInquiry(message: Inquiry): Uint8Array {
  if (message.say === 'question') {
    const { by, body } = message.bid
    return encodeInquiry({ ...message, bid: { by, body, envelope: sealBid(notaryOf(by).signer, network, body) } })
  }
  if (message.say !== 'quote') return encodeInquiry(message)
  return encodeInquiry({ ...message, quote: sealQuote(notaryOf(message.quote.by), message.quote.body) })
}

function encodeSignedBilling(message: Billing): Uint8Array {
  switch (message.say) {
    case 'receipt':
      return encodeBilling({ ...message, receipt: sealReceipt(notaryOf(message.receipt.by), message.receipt.body) })
    case 'countersignature': {
      const { by, body } = message.countersignature
      return encodeBilling({ ...message, countersignature: sealCountersignature(notaryOf(by), body) })
    }
    case 'dispute': {
      const { by, body } = message.dispute
      return encodeBilling({ ...message, dispute: sealDispute(notaryOf(by), body) })
    }
    default:
      throw new Error(`no vector says ${(message as { say: string }).say}`)
  }
}

function encodeSignedStorage(message: StorageMessage): Uint8Array {
  if (message.say === 'receipt') {
    const { by, body } = message.receipt
    return encodeStorage({ ...message, receipt: sealStorageReceipt(notaryOf(by), body) })
  }
  if (message.say !== 'countersignature') return encodeStorage(message)
  const { by, body } = message.countersignature
  return encodeStorage({ ...message, countersignature: sealStorageCountersignature(notaryOf(by), body) })
}

function encodeSignedSettling(message: Settling): Uint8Array {
  switch (message.say) {
    case 'propose': {
      const { by, body } = message.statement
      const evidence = message.evidence.map(signedEvidence)
      return encodeSettling({ ...message, statement: sealStatement(notaryOf(by), body), evidence })
    }
    case 'differ': {
      const { by, body } = message.difference
      const evidence = message.evidence.map(signedEvidence)
      return encodeSettling({ ...message, difference: sealDifference(notaryOf(by), body), evidence })
    }
    case 'agree': {
      const { by, body } = message.agreement
      return encodeSettling({ ...message, agreement: sealAgreement(notaryOf(by), body) })
    }
    case 'agreed': {
      const { statement, agreement } = message
      return encodeSettling({
        ...message,
        statement: sealStatement(notaryOf(statement.by), statement.body),
        agreement: sealAgreement(notaryOf(agreement.by), agreement.body),
      })
    }
    default:
      throw new Error(`no vector says ${(message as { say: string }).say}`)
  }
}

function encodeSignedVouching(message: Vouching): Uint8Array {
  if (message.say === 'ask') {
    const { by, body } = message.terms
    return encodeVouching({ ...message, terms: sealTerms(notaryOf(by), body) })
  }
  if (message.say !== 'voucher') return encodeVouching(message)
  const { by, body } = message.key
  return encodeVouching({ ...message, key: sealKey(notaryOf(by), body) })
}

function signedEvidence({ receipt, countersignature }: Evidence): Evidence {
  return {
    receipt: sealReceipt(notaryOf(receipt.by), receipt.body),
    countersignature: sealCountersignature(notaryOf(countersignature.by), countersignature.body),
  }
}

/** As JSON: bytes are hex. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toString(value, 'hex')
  if (Array.isArray(value)) return value.map(toJson)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toJson(inner)]))
}

/** JSON as the value it stands for: hex is bytes where `like` has bytes. */
export function fromJson(json: unknown, like: unknown): unknown {
  if (like instanceof Uint8Array) return fromString(json as string, 'hex')
  if (Array.isArray(like)) return (json as unknown[]).map((inner, index) => fromJson(inner, like[index]))
  if (like === null || typeof like !== 'object') return json
  return Object.fromEntries(
    Object.entries(json as object).map(([key, inner]) => [
      key,
      fromJson(inner, (like as Record<string, unknown>)[key]),
    ]),
  )
}
