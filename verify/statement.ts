/** Signed envelopes (libp2p RFC 0002), and what may stand in the fields of what they hold: protocols/wire/README.md. */
import { cidOfHash, isCid, isSame, joined, utf8Of } from './bytes.ts'
import { isSignedBy, keyOf, peerOf, sha256, signatureBytes } from './keys.ts'
import { Problem, need } from './problem.ts'
import { readMessage, type Message, type Schema } from './protobuf.ts'

export interface Opened<Body> {
  /** The peer that signed. */
  readonly by: string
  readonly body: Body
  /** SHA-256 of the envelope: what other statements name it by. */
  readonly hash: Uint8Array
}

export const hashBytes = 32
const textCharsMax = 64
/** Of the name of a network: small letters, digits and dashes. */
const networkCharsMax = 32
export const networkPattern = /^[a-z][a-z0-9-]{0,31}$/

/** Field numbers 1, 2, 3 and 5, each of wire type 2. */
const envelopeTags = [0x0a, 0x12, 0x1a, 0x2a] as const
const lengthBytesMax = 3

/** The one form of an envelope: its fields in order, lengths in their shortest spelling, nothing else. */
function envelopeFields(bytes: Uint8Array): Uint8Array[] {
  const malformed = new Problem('FRAME_MALFORMED', 'the envelope is not in its one form')
  let at = 0
  const readLength = (): number => {
    let length = 0
    for (let index = 0; index < lengthBytesMax; index++) {
      const byte = bytes[at++] ?? 0
      length |= (byte & 0x7f) << (7 * index)
      if (byte >= 0x80) continue
      if (index > 0 && byte === 0) break
      return length
    }
    throw malformed
  }
  const fields = envelopeTags.map((tag) => {
    if (bytes[at] !== tag) return bytes.subarray(at, at)
    at++
    const length = readLength()
    if (length === 0 || length > bytes.byteLength - at) throw malformed
    at += length
    return bytes.subarray(at - length, at)
  })
  if (at !== bytes.byteLength) throw malformed
  return fields
}

function withLength(part: Uint8Array): Uint8Array {
  const length: number[] = []
  let rest = part.byteLength
  for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80)
  return joined(Uint8Array.from([...length, rest]), part)
}

/** Why an envelope is none of what is expected, by what it says itself to be. */
function misplaced(network: string, type: string, payloadType: Uint8Array): Problem {
  const ofType = `/pleach/${type}@`
  const said = String.fromCharCode(...payloadType.subarray(0, ofType.length + networkCharsMax + 1))
  const given = said.slice(ofType.length)
  if (said.startsWith(ofType) && networkPattern.test(given))
    return new Problem('NETWORK_FOREIGN', `the statement is of the network ${given}, not of ${network}`)
  return new Problem('DOMAIN_UNEXPECTED', 'the envelope holds another type of statement')
}

/** Who said what. `type` is a kind and its version: `receipt/1`. Throws a Problem. */
export async function openStatement(network: string, type: string, bytes: Uint8Array): Promise<Opened<Uint8Array>> {
  const [encodedKey, payloadType, payload, signature] = envelopeFields(bytes) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  if (!isSame(payloadType, utf8Of(`/pleach/${type}@${network}`))) throw misplaced(network, type, payloadType)
  const publicKey = keyOf(encodedKey)
  // The domain names the kind and the network, so that a statement is nothing in another's place or on another network.
  const message = joined(...[utf8Of(`pleach/${type}@${network}`), payloadType, payload].map(withLength))
  const isRight = signature.byteLength === signatureBytes && (await isSignedBy(publicKey, message, signature))
  need(isRight, 'SIGNATURE_INVALID', 'the signature does not fit the statement')
  return { by: peerOf(publicKey), body: payload, hash: await sha256(bytes) }
}

export async function openMessage(
  network: string,
  type: string,
  schema: Schema,
  bytes: Uint8Array,
): Promise<Opened<Message>> {
  const opened = await openStatement(network, type, bytes)
  return { ...opened, body: readMessage(schema, opened.body) }
}

/** A number that is exact in JavaScript. */
export function checkedNumber(value: bigint, name: string, max: number = Number.MAX_SAFE_INTEGER): number {
  need(value >= 0n && value <= BigInt(max), 'FIELD_INVALID', `${name} is out of range`)
  return Number(value)
}

export function checkedHash(bytes: Uint8Array, name: string): Uint8Array {
  need(bytes.byteLength === hashBytes, 'FIELD_INVALID', `${name} is not a SHA-256 hash`)
  return bytes
}

export function checkedText(text: string, name: string, charsMax: number = textCharsMax): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  const isPlain = text.length <= charsMax && !/[\u0000-\u001f\u007f]/.test(text)
  need(isPlain, 'FIELD_INVALID', `${name} is too long or not plain text`)
  return text
}

export function checkedCid(text: string, name: string): string {
  need(isCid(text), 'FIELD_INVALID', `${name} is not the CID of a document`)
  return text
}

export async function cidOfDocument(bytes: Uint8Array): Promise<string> {
  return cidOfHash(await sha256(bytes))
}
