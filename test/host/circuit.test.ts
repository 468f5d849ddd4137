// The two streams of a circuit as the relay library joins them, without a network.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'

import type { Stream } from '@libp2p/interface'
import { pipe } from '@libp2p/utils'

import { realClock } from '../../src/environment.ts'
import { watchCircuit, type CircuitRules } from '../../src/host/circuit.ts'
import { deadlineMs, eventually } from './network.ts'
import { streamPair } from './stream-pair.ts'

const joined = async (rules: Partial<CircuitRules>) => {
  const [caller, holder] = await Promise.all([streamPair(), streamPair()])
  const told = { bytes: 0, ends: 0 }
  const all: CircuitRules = {
    bytesMax: 1e9,
    msMax: deadlineMs,
    spend: () => 0,
    onEnd: () => (told.ends += 1),
    ...rules,
  }
  const spend = (bytes: number): number => {
    told.bytes += bytes
    return all.spend(bytes)
  }
  watchCircuit(caller.far, holder.near, { ...all, spend }, realClock)
  caller.far.send(Uint8Array.of(200))
  pipe(caller.far, holder.near, caller.far).catch(() => {})
  return { caller: caller.near, holder: holder.far, told }
}

/** What comes of a stream, and whether it has ended. */
const heardOf = (stream: Stream): { bytes: number; hasEnded: boolean } => {
  const heard = { bytes: 0, hasEnded: false }
  stream.addEventListener('message', ({ data }) => (heard.bytes += data.byteLength))
  stream.addEventListener('remoteCloseWrite', () => (heard.hasEnded = true))
  return heard
}

describe('a circuit', { timeout: 3 * deadlineMs }, () => {
  test('counts what goes through both ways, and not the answer before', async () => {
    const { caller, holder, told } = await joined({})
    const [there, back] = [heardOf(holder), heardOf(caller)]
    caller.send(new Uint8Array(1_000))
    await eventually('it is there', () => there.bytes === 1_000)
    holder.send(new Uint8Array(500))
    await eventually('it is back', () => back.bytes === 501)
    assert.equal(told.bytes, 1_500)
    caller.abort(new Error('over'))
    await eventually('it is over', () => told.ends === 1)
  })

  test('that is held lets go of what it holds when whoever sent it closes', async () => {
    const { caller, holder, told } = await joined({ spend: () => deadlineMs })
    const there = heardOf(holder)
    caller.send(new Uint8Array(10_000))
    await eventually('the first is through', () => there.bytes === 10_000)
    caller.send(new Uint8Array(100_000))
    await eventually('it waits for the rate', () => caller.writeStatus === 'writable')
    assert.equal(there.bytes, 10_000)
    await caller.close()
    await eventually('all of it came, and the end', () => there.hasEnded)
    assert.equal(there.bytes, 110_000)
    assert.equal(told.bytes, 110_000)
    holder.abort(new Error('over'))
    await eventually('it is over', () => told.ends === 1)
  })

  test('reads no more of one than the other takes, and goes on when that does', async () => {
    const { caller, holder } = await joined({})
    const there = heardOf(holder)
    holder.pause()
    const piece = new Uint8Array(64 * 1024)
    let [sent, isStalled] = [0, false]
    while (!isStalled && sent < 32 * 2 ** 20) {
      sent += piece.byteLength
      const drained = once(caller, 'drain', { signal: AbortSignal.timeout(250) })
      drained.catch(() => {})
      if (!caller.send(piece))
        isStalled = await drained.then(
          () => false,
          () => true,
        )
    }
    // Two windows and a write buffer; left to the library all of it would lie in between.
    assert.ok(isStalled && sent < 8 * 2 ** 20, String(sent))
    assert.equal(there.bytes, 0)
    holder.resume()
    await eventually('all of it comes', () => there.bytes === sent)
    caller.abort(new Error('over'))
  })

  test('ends when it has carried as much as it may, and when it has lasted as long', async () => {
    const full = await joined({ bytesMax: 5_000 })
    full.caller.send(new Uint8Array(6_000))
    await eventually('both ends hear of it', () => full.caller.status === 'reset' && full.holder.status === 'reset')
    assert.equal(full.told.ends, 1)
    const old = await joined({ msMax: 20 })
    await eventually('both ends hear of it', () => old.caller.status === 'reset' && old.holder.status === 'reset')
  })
})
