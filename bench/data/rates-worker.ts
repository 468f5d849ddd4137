/** A worker thread that measures what sealing is made of, each part alone. */
import assert from 'node:assert/strict'
import { createCipheriv } from 'node:crypto'
import { parentPort } from 'node:worker_threads'

import {
  allocateStrips,
  createStripCoder,
  hashStrips,
  kernelPaths,
  segmentBytesOf,
  stripBytesMax,
  type Code,
} from '../../protocols/erasure/index.ts'
import { realClock } from '../../src/environment.ts'
import { loomHere } from '../../src/storage/workers/loom.ts'

export type SingleRate = 'encrypt' | 'code' | 'hash'

export interface SingleTask {
  readonly rate: SingleRate
  readonly code: Code
  readonly segments: number
}

/** What the cipher does fastest. */
const pieceBytes = 128 * 1024
const key = new Uint8Array(32)
const memories = new Map<string, ReturnType<typeof allocateStrips>>()
/** As the worker has that seals. */
const loom = loomHere(realClock)

/** MB of plaintext a second. */
function measure({ rate, code: { k, m }, segments }: SingleTask): number {
  const name = `${k}+${m}`
  const memory =
    memories.get(name) ?? allocateStrips({ slots: k + m, stripBytes: stripBytesMax, threads: 1 }, kernelPaths[0], loom)
  memories.set(name, memory)
  const strips = Array.from({ length: k + m }, (_, slot) => memory.strip(slot))
  const slots = [...strips.keys()]
  const coder = createStripCoder(memory, k, m)
  const work = {
    encrypt(): void {
      const cipher = createCipheriv('aes-256-gcm', key, new Uint8Array(12))
      for (const strip of strips.slice(0, k)) {
        for (let at = 0; at < strip.byteLength; at += pieceBytes) {
          const { buffer } = cipher.update(strip.subarray(at, at + pieceBytes))
          // Given back at once, as sealing does: left to the collector it would make the cipher slower than it is.
          if (buffer instanceof ArrayBuffer) buffer.transfer(0)
        }
      }
      cipher.final()
    },
    code: (): void => coder.encode(slots.slice(0, k), slots.slice(k), stripBytesMax),
    hash: (): void => void hashStrips(strips),
  }[rate]
  const before = performance.now()
  for (let segment = 0; segment < segments; segment++) work()
  return (segments * segmentBytesOf({ k, m })) / 1_000 / (performance.now() - before)
}

assert.ok(parentPort !== null, 'this is for a worker thread')
const port = parentPort
port.on('message', (task: SingleTask) => port.postMessage(measure(task)))
