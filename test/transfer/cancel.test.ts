// Over TCP: whoever gives up gets no more than a credit, and a reader that dawdles costs the sender no memory.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { concat } from 'uint8arrays'

import { MerkleTree, hashLeaf, leafBytes } from '../../protocols/erasure/index.ts'
import { createTransfer, creditLeavesMax, emptyShelf, type ShardSource } from '../../protocols/transfer/index.ts'
import { realClock } from '../../src/environment.ts'
import { addressOf, eventually, inTime, startedHost } from '../host/network.ts'

const count = 1_000
const same = new Uint8Array(leafBytes).fill(3)
const hash = hashLeaf(same)
const tree = new MerkleTree(concat(Array.from({ length: count }, () => hash)))
const shardBytes = count * leafBytes
const everyLeaf = Array.from({ length: count }, (_, leaf) => leaf)

/** A keeper of a shard of 62 MiB that counts what it reads to send, and a client, over TCP. */
async function pair() {
  const [near, far] = [await startedHost(), await startedHost()]
  const counts = { read: 0, open: 0 }
  const source: ShardSource = {
    shardBytes,
    leaf: async (leaf) => {
      counts.read++
      return { bytes: same.slice(), proof: tree.proof(leaf) }
    },
    close: async () => void counts.open--,
  }
  const shelf = {
    ...emptyShelf,
    open: async () => {
      counts.open++
      return source
    },
  }
  await createTransfer({ streams: far.streams, timekeeper: realClock, shelf }).serve()
  await near.dial(addressOf(far), inTime())
  const client = createTransfer({ streams: near.streams, timekeeper: realClock, shelf: emptyShelf })
  return {
    client,
    peer: far.peer,
    counts,
    [Symbol.asyncDispose]: async () => void (await Promise.all([near.stop(), far.stop()])),
  }
}

test('a sender stops within one credit of its reader giving up', async () => {
  await using both = await pair()
  const { client, peer, counts } = both
  const controller = new AbortController()
  let [came, readAtAbort] = [0, 0]
  const reading = client.get(
    peer,
    tree.root,
    shardBytes,
    everyLeaf,
    async () => {
      if (++came < 100) return
      readAtAbort = counts.read
      controller.abort(new Error('enough'))
    },
    controller.signal,
  )
  await assert.rejects(reading, /enough/)
  await eventually('the exchange is over for the keeper', () => counts.open === 0)
  assert.ok(readAtAbort <= 100 + creditLeavesMax, `${readAtAbort} blocks were read when the client gave up`)
  assert.ok(counts.read <= 100 + creditLeavesMax, `${counts.read} blocks were read for a reader that took 100`)
})

test('a reader that takes a block every 20 ms leaves the sender with at most a credit in hand', async () => {
  await using both = await pair()
  const { client, peer, counts } = both
  const controller = new AbortController()
  let [came, most] = [0, 0]
  const reading = client.get(
    peer,
    tree.root,
    shardBytes,
    everyLeaf,
    async () => {
      most = Math.max(most, counts.read - came)
      came++
      await sleep(20)
      if (came === 150) controller.abort(new Error('enough'))
    },
    controller.signal,
  )
  await assert.rejects(reading, /enough/)
  assert.ok(most <= creditLeavesMax + 1, `${most} blocks were under way`)
  assert.ok(counts.read <= 150 + creditLeavesMax, `${counts.read} blocks were read`)
  await eventually('the exchange is over for the keeper', () => counts.open === 0)
})
