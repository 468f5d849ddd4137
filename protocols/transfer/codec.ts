/** Transfer frames from and to bytes. */
import { create, toBinary } from '@bufbuild/protobuf'

import {
  Fault,
  allocFilled,
  checkedHash,
  checkedInteger,
  decodeRefusal,
  encodeRefusal,
  hashBytes,
  parseMessage,
} from '../wire/index.ts'
import { leafBytes } from '../erasure/index.ts'
import { proofHashesMax, shardBytesMax, type Block, type Transfer } from './messages.ts'
import { TransferSchema } from './wire_pb.ts'

const controlTag = 0
const blockTag = 1
/** Tag, leaf number, number of proof hashes. */
const blockHeaderBytes = 6

export function encodeTransfer(message: Transfer): Uint8Array {
  if (message.say === 'block') return encodeBlock(message)
  const body = toBinary(TransferSchema, create(TransferSchema, { body: bodyOf(message) }))
  const frame = new Uint8Array(1 + body.byteLength)
  frame[0] = controlTag
  frame.set(body, 1)
  return frame
}

function bodyOf(message: Exclude<Transfer, { say: 'block' }>) {
  switch (message.say) {
    case 'get':
      return { case: 'get' as const, value: { root: message.root } }
    case 'have':
      return { case: 'have' as const, value: { shardBytes: BigInt(message.shardBytes) } }
    case 'put': {
      const { root, shardBytes, keepUntilMs } = message
      return { case: 'put' as const, value: { root, shardBytes: BigInt(shardBytes), keepUntilMs: BigInt(keepUntilMs) } }
    }
    case 'want':
      return { case: 'want' as const, value: { firstLeaf: message.firstLeaf, count: message.count } }
    case 'stored':
      return { case: 'stored' as const, value: { keepUntilMs: BigInt(message.keepUntilMs) } }
    case 'release':
      return { case: 'release' as const, value: { root: message.root } }
    case 'released':
      return { case: 'released' as const, value: { keepUntilMs: BigInt(message.keepUntilMs) } }
    case 'refused':
      return { case: 'refused' as const, value: encodeRefusal(message.refusal) }
    default:
      return message satisfies never
  }
}

/** Throws a Fault. A block's bytes are a view into the frame: whoever keeps them longer copies them. */
export function decodeTransfer(frame: Uint8Array): Transfer {
  if (frame[0] === blockTag) return { say: 'block', ...decodeBlock(frame) }
  if (frame[0] !== controlTag)
    throw new Fault('FRAME_MALFORMED', 'a transfer frame of no known kind', { tag: frame[0] ?? -1 })
  const { body } = parseMessage(TransferSchema, frame.subarray(1))
  switch (body.case) {
    case 'get':
      return { say: 'get', root: checkedHash(body.value.root, 'root') }
    case 'have':
      return { say: 'have', shardBytes: shardBytesOf(body.value.shardBytes) }
    case 'put':
      return {
        say: 'put',
        root: checkedHash(body.value.root, 'root'),
        shardBytes: shardBytesOf(body.value.shardBytes),
        keepUntilMs: checkedInteger(body.value.keepUntilMs, 'keep_until_ms'),
      }
    case 'want':
      return { say: 'want', firstLeaf: body.value.firstLeaf, count: body.value.count }
    case 'stored':
      return { say: 'stored', keepUntilMs: checkedInteger(body.value.keepUntilMs, 'keep_until_ms') }
    case 'release':
      return { say: 'release', root: checkedHash(body.value.root, 'root') }
    case 'released':
      return { say: 'released', keepUntilMs: checkedInteger(body.value.keepUntilMs, 'keep_until_ms') }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'a transfer message says nothing that this version knows')
  }
}

function shardBytesOf(value: bigint): number {
  const bytes = checkedInteger(value, 'shard_bytes', shardBytesMax)
  if (bytes === 0) throw new Fault('FIELD_INVALID', 'a shard has at least one byte')
  return bytes
}

function encodeBlock({ leaf, proof, bytes }: Block): Uint8Array {
  const frame = allocFilled(blockHeaderBytes + proof.length * hashBytes + bytes.byteLength)
  frame[0] = blockTag
  new DataView(frame.buffer, frame.byteOffset).setUint32(1, leaf)
  frame[5] = proof.length
  let at = blockHeaderBytes
  for (const step of proof) {
    frame.set(step, at)
    at += hashBytes
  }
  frame.set(bytes, at)
  return frame
}

function decodeBlock(frame: Uint8Array): Block {
  const hashes = frame[5] ?? 0
  const at = blockHeaderBytes + hashes * hashBytes
  const bytes = frame.byteLength - at
  if (frame.byteLength < blockHeaderBytes || hashes > proofHashesMax || bytes < 1 || bytes > leafBytes) {
    throw new Fault('FRAME_MALFORMED', 'not a block', { frameBytes: frame.byteLength, hashes })
  }
  const leaf = new DataView(frame.buffer, frame.byteOffset).getUint32(1)
  const proof = Array.from({ length: hashes }, (_, index) => {
    const from = blockHeaderBytes + index * hashBytes
    return frame.subarray(from, from + hashBytes)
  })
  return { leaf, proof, bytes: frame.subarray(at) }
}
