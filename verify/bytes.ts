/** Bytes and the texts that stand for them. Every text has one spelling here; any other is refused. */
import { Problem } from './problem.ts'

const base64Letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const base58Letters = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const base32Letters = 'abcdefghijklmnopqrstuvwxyz234567'

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.byteLength === other.byteLength && one.every((byte, index) => byte === other[index])
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.byteLength
  }
  return bytes
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function utf8Of(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Throws a TypeError for what is no UTF-8. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}

/** RFC 4648 with padding. Throws a Problem FRAME_MALFORMED for anything else. */
export function fromBase64(text: string): Uint8Array {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const letters = text.length - padding
  const bytes = new Uint8Array(Math.floor((letters * 3) / 4))
  const isWhole = text.length % 4 === 0 && (padding === 0 || letters > 0)
  let [bits, bitCount, at] = [0, 0, 0]
  for (let index = 0; index < letters; index++) {
    const value = base64Letters.indexOf(text[index]!)
    if (value < 0) throw new Problem('FRAME_MALFORMED', 'not base64')
    bits = ((bits << 6) | value) & 0xffff
    bitCount += 6
    if (bitCount < 8) continue
    bitCount -= 8
    bytes[at++] = (bits >> bitCount) & 0xff
  }
  // What is left over of the last letter is zero: otherwise the same bytes would have several spellings.
  if (!isWhole || (bits & ((1 << bitCount) - 1)) !== 0) throw new Problem('FRAME_MALFORMED', 'not base64')
  return bytes
}

export function base58Of(bytes: Uint8Array): string {
  let number = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  let text = ''
  for (; number > 0n; number /= 58n) text = base58Letters[Number(number % 58n)]! + text
  const zeros = bytes.findIndex((byte) => byte !== 0)
  return '1'.repeat(zeros < 0 ? bytes.byteLength : zeros) + text
}

/** Undefined for what is not base58btc. */
export function fromBase58(text: string): Uint8Array | undefined {
  let number = 0n
  for (const letter of text) {
    const value = base58Letters.indexOf(letter)
    if (value < 0) return undefined
    number = number * 58n + BigInt(value)
  }
  const bytes: number[] = []
  for (; number > 0n; number >>= 8n) bytes.unshift(Number(number & 0xffn))
  const zeros = /^1*/.exec(text)![0].length
  return Uint8Array.from([...Array.from<number>({ length: zeros }).fill(0), ...bytes])
}

/** CIDv1 (1), DAG-CBOR (0x71), SHA-256 (0x12) of 32 bytes. */
const cidPrefix = Uint8Array.of(0x01, 0x71, 0x12, 0x20)
const cidBytes = 36
const cidPattern = /^b[a-z2-7]{58}$/

/** The CID of the document that has this SHA-256: `bafyrei…`. */
export function cidOfHash(hash: Uint8Array): string {
  let [bits, bitCount, text] = [0, 0, 'b']
  for (const byte of joined(cidPrefix, hash)) {
    bits = ((bits << 8) | byte) & 0xfff
    for (bitCount += 8; bitCount >= 5; bitCount -= 5) text += base32Letters[(bits >> (bitCount - 5)) & 31]!
  }
  return bitCount === 0 ? text : text + base32Letters[(bits << (5 - bitCount)) & 31]!
}

/** Whether this is the CID of a DAG-CBOR document, in its one spelling. */
export function isCid(text: string): boolean {
  if (!cidPattern.test(text)) return false
  const bytes = new Uint8Array(cidBytes)
  let [bits, bitCount, at] = [0, 0, 0]
  for (const letter of text.slice(1)) {
    bits = ((bits << 5) | base32Letters.indexOf(letter)) & 0xfff
    bitCount += 5
    if (bitCount < 8) continue
    bitCount -= 8
    bytes[at++] = (bits >> bitCount) & 0xff
  }
  return cidOfHash(bytes.subarray(cidPrefix.byteLength)) === text
}
