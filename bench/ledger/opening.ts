/** How soon a long ledger is ready: opened, its last entries verified since the last checkpoint, and what was earned summed up. */
import { join } from 'node:path'

import { realClock, silentLog, type Clock } from '../../src/environment.ts'
import { Checkpoints, checkpointEntries } from '../../src/ledger/checkpoints.ts'
import { Damages } from '../../src/ledger/damages.ts'
import { Doubts } from '../../src/ledger/doubts.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { Receipts } from '../../src/ledger/receipts.ts'
import { changesPerCommitMax, Store } from '../../src/ledger/store.ts'
import type { Part } from '../bench.ts'
import { valueRow } from '../report.ts'
import { Trade, worker } from './trade.ts'

const receiptsWanted = 100_000
const readyMsMost = 2_000
/** Receipts of one lease. */
const turns = 25

export const opening: Part = {
  name: 'opening',
  about: `opening a ledger with ${receiptsWanted} receipts`,
  async measure({ rounds, folder, say, signal }) {
    const path = join(folder, 'ledger.db')
    say(`writing ${receiptsWanted} receipts`)
    await fill(path, signal)
    const tookMs: number[] = []
    let entries = 0
    for (let round = 0; round < rounds; round++) {
      const beganMs = performance.now()
      const { store, checkpoints } = open(path)
      ;({ entries } = checkpoints.begin())
      new MachineStates(store, worker).open('lease')
      const totals = new Receipts(store).totals()
      tookMs.push(performance.now() - beganMs)
      const count = totals.reduce((sum, total) => sum + total.bothSigned, 0)
      if (count !== receiptsWanted) throw new Error(`${count} receipts were signed by both`)
      // As after kill -9: no checkpoint is made at the end, so that each round finds the same.
      store.close()
    }
    const note = `${entries} entries after the last checkpoint`
    return [valueRow(`opening a ledger with ${receiptsWanted} receipts`, 'ms', tookMs, { most: readyMsMost }, note)]
  },
}

/** No timer of it runs: only what a start does is looked at. */
const still: Clock = { ...realClock, after: () => () => {} }

function open(path: string) {
  const store = Store.open(path, realClock, silentLog)
  const [damages, doubts] = [new Damages(store, silentLog), new Doubts(store, silentLog)]
  const beside = `${path}.checkpoint`
  return {
    store,
    checkpoints: new Checkpoints({
      store,
      notary: worker,
      damages,
      doubts,
      path: beside,
      clock: still,
      log: silentLog,
    }),
  }
}

async function fill(path: string, signal: AbortSignal): Promise<void> {
  const { store, checkpoints } = open(path)
  const machines = new MachineStates(store, worker)
  checkpoints.begin()
  const all = Array.from({ length: changesPerCommitMax }, (_, index) => index)
  let made = 0
  for (let batch = 0; made < receiptsWanted; batch++) {
    const trade = new Trade(`${batch}`, changesPerCommitMax)
    for (let turn = 0; turn < turns && made < receiptsWanted; turn++) {
      signal.throwIfAborted()
      trade.turn()
      const some = all.slice(0, receiptsWanted - made)
      const commit = async (half: 'receipt' | 'take'): Promise<unknown> =>
        Promise.all(
          some.map(async (index) =>
            machines.commit({ ...trade[half](index), kind: 'lease', final: turn === turns - 1 }, realClock.nowMs()),
          ),
        )
      await commit('receipt')
      for (const index of some) trade.countersign(index)
      await commit('take')
      made += some.length
      // As a peer that works hard, and is killed before the next one.
      if (receiptsWanted - made > checkpointEntries / 2) checkpoints.make()
    }
  }
  store.close()
}
