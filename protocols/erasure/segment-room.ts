/**
 * A room: memory in which one segment becomes its strips without being copied to and fro. The plaintext is put where `plainIn` says;
 * encrypting moves it forward, piece by piece, to where the data strips are, and the parity comes behind them.
 *
 *     ├ strip 0 ┤gap├ strip 1 ┤gap├ … ┤gap├ strip n − 1 ┤gap┤
 *          ├ plaintext ──────────────────── ┤
 *
 * It is a StripMemory, so another thread can do the work; what is in it then is the other's until that is done.
 */
import type { Code } from './code.ts'
import { createStripCoder } from './coder.ts'
import { kernelPaths } from './path.ts'
import { sealSegment, stripBytesOf, type SegmentPlace } from './segment.ts'
import { hashStrips } from './segment-work.ts'
import {
  StripMemory,
  allocateStrips,
  stripAlignBytes,
  type SharedStrips,
  type StripShape,
  type Weaver,
} from './strip-memory.ts'

/** A strip begins at most so many bytes later than it would if there were no gap before it. */
const gapBytesMax = 2 * stripAlignBytes

/** The shape of a room for segments of at most so many bytes of plaintext. */
export function roomShape(code: Code, plainBytesMax: number): StripShape {
  const strip = stripBytesOf(code, plainBytesMax)
  // Without parity, or with strips that are shorter than all gaps, the plaintext would stand out.
  const outside = code.k * gapBytesMax - code.m * strip
  return { slots: code.k + code.m + Math.max(0, Math.ceil(outside / strip)), stripBytes: strip, threads: 1 }
}

/** A room that nothing is coded in by this thread. */
export function allocateRoom(shape: StripShape): SharedStrips {
  return allocateStrips(shape, 'scalar').shared
}

/** Where the plaintext is to be put, from the beginning. */
export function plainIn(code: Code, room: SharedStrips, plainBytes: number): Uint8Array {
  const first = new StripMemory(room, 0, 'scalar').strip(0)
  return new Uint8Array(first.buffer, first.byteOffset + code.k * gapBytesMax, plainBytes)
}

/** The n strips of a segment that was sealed in the room, data first. */
export function stripsIn(code: Code, room: SharedStrips, plainBytes: number): Uint8Array[] {
  const memory = new StripMemory(shapedFor(code, room, plainBytes), 0, 'scalar')
  return Array.from({ length: code.k + code.m }, (_, shard) => memory.strip(shard))
}

/** Encrypts and codes the plaintext that is in the room. What is left there are the strips; gives the hashes of their leaves. */
export function sealInRoom(
  code: Code,
  key: Uint8Array,
  place: SegmentPlace,
  room: SharedStrips,
  weaver?: Weaver,
): Uint8Array[] {
  const { k, m } = code
  const memory = new StripMemory(shapedFor(code, room, place.plainBytes), 0, kernelPaths[0], weaver)
  const { stripBytes } = memory.shared.shape
  const strips = Array.from({ length: k + m }, (_, shard) => memory.strip(shard))
  sealSegment(key, place, plainIn(code, room, place.plainBytes), strips.slice(0, k))
  const slots = [...strips.keys()]
  createStripCoder(memory, k, m).encode(slots.slice(0, k), slots.slice(k), stripBytes)
  return hashStrips(strips)
}

/** The same memory with strips as long as those of this segment: the last of an object has shorter ones. */
function shapedFor(code: Code, { shape, memory }: SharedStrips, plainBytes: number): SharedStrips {
  return { shape: { ...shape, stripBytes: stripBytesOf(code, plainBytes) }, memory }
}
