// Bids leave no faster than others pass them on.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { bidWindowMs, bidsPerAuthorMax } from '../../protocols/bid/index.ts'
import { OwnErrands, type ErrandDeps } from '../../src/node/errands.ts'
import { silentLog } from '../../src/environment.ts'

const bidOf = (job: number): Uint8Array => new Uint8Array(200).fill(job)

test('a requester of many jobs announces what others pass on, and keeps half of it for what is new', () => {
  let nowMs = 0
  const said: Uint8Array[] = []
  const errands = new OwnErrands({
    clock: { monotonicMs: () => nowMs },
    gossip: { publish: async (_topic: string, bid: Uint8Array) => said.push(bid) },
    log: silentLog,
  } as unknown as ErrandDeps)
  for (let round = 0; round < bidsPerAuthorMax; round++) errands.announce('topic', bidOf(1), true)
  assert.equal(said.length, bidsPerAuthorMax / 2)
  errands.announce('topic', bidOf(9), false)
  assert.equal(said.length, bidsPerAuthorMax / 2, 'word that there are enough is not for that half')
  for (let job = 2; job < 2 + bidsPerAuthorMax; job++) errands.announce('topic', bidOf(job), true)
  assert.equal(said.length, bidsPerAuthorMax)
  nowMs = bidWindowMs
  errands.announce('topic', bidOf(1), true)
  assert.equal(said.length, bidsPerAuthorMax + 1, 'a minute later it is heard again')
})
