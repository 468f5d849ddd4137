// Signs receipts and takes countersignatures for some leases, turn by turn, and says on stdout what is durable: `A` and the SHA-256 of
// the statement. node test/crash/receipt-writer.ts LEDGER.db LEASES TURNS FULL|NORMAL

import { toString } from 'uint8arrays'

import { sha256 } from '../../protocols/wire/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { Checkpoints } from '../../src/ledger/checkpoints.ts'
import { Damages } from '../../src/ledger/damages.ts'
import { openDatabase } from '../../src/ledger/database.ts'
import { Doubts } from '../../src/ledger/doubts.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { ledgerSteps } from '../../src/ledger/migrations.ts'
import { ledgerBytesMax, Store } from '../../src/ledger/store.ts'
import { Trade, worker } from '../../bench/ledger/trade.ts'

const [path = '', leases = '', turns = '', synchronous = ''] = process.argv.slice(2)
const checkpointEveryTurns = 3
const still = { ...realClock, after: () => () => {} }

const shape = { steps: ledgerSteps, synchronous: synchronous as 'FULL' | 'NORMAL', bytesMax: ledgerBytesMax }
const store = Store.over(openDatabase(path, shape), path, realClock, silentLog)
const [damages, doubts] = [new Damages(store, silentLog), new Doubts(store, silentLog)]
const beside = { path: `${path}.checkpoint`, clock: still, log: silentLog }
const checkpoints = new Checkpoints({ store, notary: worker, damages, doubts, ...beside })
checkpoints.begin()
const machines = new MachineStates(store, worker)
const trade = new Trade('power', Number(leases))
const all = Array.from({ length: Number(leases) }, (_, index) => index)
const commit = async (half: 'receipt' | 'take'): Promise<void> => {
  await Promise.all(
    all.map(async (index) => {
      const step = trade[half](index)
      await machines.commit({ ...step, kind: 'lease', final: false }, realClock.nowMs())
      for (const { envelope } of step.statements) process.stdout.write(`A ${toString(sha256(envelope), 'hex')}\n`)
    }),
  )
}
for (let turn = 1; turn <= Number(turns); turn++) {
  trade.turn()
  await commit('receipt')
  for (const index of all) trade.countersign(index)
  await commit('take')
  if (turn % checkpointEveryTurns === 0) checkpoints.make()
}
checkpoints.close()
store.close()
