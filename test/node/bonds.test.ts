// A provider of a whole peer signs one number twice: what it put behind the lease is in the next statement of the two, once.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'

import { EquivocationFault } from '../../protocols/negotiate/index.ts'
import { openReceipt, sealReceipt } from '../../protocols/receipt/index.ts'
import { plainPolicy } from '../../src/config/options.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { openIdentity } from '../../src/host/identity.ts'
import { Proofs } from '../../src/ledger/proofs.ts'
import { Store } from '../../src/ledger/store.ts'
import { Equivocations } from '../../src/node/equivocations.ts'
import { sleeps } from '../fixtures/programs.ts'
import { eventually, inTime, lendsNothing, Mesh } from '../support/mesh.ts'

const bonded = { offer: { policy: { ...plainPolicy, bondMicro: 400_000 } } }
const spec = { priceMax: '5', memoryBytes: 2 ** 26 }

/** The provider's second receipt of the first number of its lease with `two`, as whoever is shown both would have it. */
async function betrayed(mesh: Mesh): Promise<EquivocationFault> {
  const db = new DatabaseSync(join(mesh.dataDir('one'), 'ledger.db'), { readOnly: true })
  const row = db.prepare('SELECT envelope FROM receipts ORDER BY created_ms, sequence LIMIT 1').get()
  db.close()
  const notary = {
    network: mesh.network,
    signer: (await openIdentity(join(mesh.dataDir('one'), 'key'), realRandom)).signer,
  }
  const first = openReceipt(notary, row!['envelope'] as Uint8Array)
  const second = sealReceipt(notary, { ...first.body, issuedMs: first.body.issuedMs + 1 })
  return new EquivocationFault('two receipts', first, second)
}

/** As the running peer takes it in, while it is stopped. */
async function shown(mesh: Mesh, name: string, by: string, fault: EquivocationFault): Promise<void> {
  const store = Store.open(join(mesh.dataDir(name), 'ledger.db'), realClock, silentLog)
  const { signer } = await openIdentity(join(mesh.dataDir(name), 'key'), realRandom)
  const equivocations = new Equivocations({
    notary: { network: mesh.network, signer },
    clock: realClock,
    log: silentLog,
    proofs: new Proofs(store),
    courier: { register: async () => {}, send: () => {} },
    outcomes: { onProven: () => {} },
    care: { onOwnEquivocation: () => {} },
    host: { connections: () => [] },
  })
  equivocations.onFault(by, fault)
  // A second proof of the same, and one after the first is known: neither costs the bond again.
  equivocations.onFault(by, fault)
  await eventually('it is written down', () => new Proofs(store).has(by))
  store.close()
}

test('who signs two receipts of one number forfeits the bond of the lease in the next statement, once', async () => {
  await using mesh = await Mesh.of({ hub: lendsNothing, one: bonded, two: lendsNothing })
  await mesh.knows('two', ['one'])
  const module = await mesh.file('slow.wasm', sleeps(300, 'well '))
  const { job } = await mesh.run('two', { ...spec, module, bondMin: '0.4' })
  assert.equal(job.stage, 'paid', job.code)
  const provider = mesh.peer('one').name
  await mesh.stop('two')
  await mesh.stop('one')
  await shown(mesh, 'two', provider, await betrayed(mesh))
  const [one, two] = [await mesh.startAgain('one'), await mesh.startAgain('two')]
  await mesh.knows('two', ['one'])
  const signal = inTime()
  await eventually('it is settled', async () => {
    const { accounts } = await two.control.money.statements()
    if (accounts[0]?.state === 'settled') return true
    await two.control.money.settle({}, AbortSignal.any([signal, AbortSignal.timeout(3_000)]))
    return false
  })
  const views = await Promise.all([one, two].map(async ({ control }) => control.money.statements()))
  const [mine, theirs] = views.map(({ statements }) => statements[0]!)
  assert.deepEqual(
    [mine, theirs].map((view) => view!.forfeits),
    [
      [{ lease: mine!.forfeits[0]!.lease, by: 'we', bond: '0.4' }],
      [{ lease: mine!.forfeits[0]!.lease, by: 'they', bond: '0.4' }],
    ],
  )
  assert.deepEqual([mine!.id, mine!.owes, theirs!.owes], [theirs!.id, 'we', 'they'])
  assert.equal(Number(mine!.net).toFixed(6), (0.4 - Number(mine!.earned)).toFixed(6), 'less what it earned')
  assert.equal((await two.control.money.settle({}, inTime())).settled.length, 0, 'nothing is left')
  for (const { statements } of views) assert.equal(statements.flatMap(({ forfeits }) => forfeits).length, 1)
})

test('a provider whose bond is below what is wanted offers nothing, and the requester is told why', async () => {
  await using mesh = await Mesh.of({ hub: lendsNothing, one: bonded, two: lendsNothing })
  await mesh.knows('two', ['one'])
  const module = await mesh.file('slow.wasm', sleeps(300, 'well '))
  const { job } = await mesh.run('two', { ...spec, module, bondMin: '0.5', waitMs: 1_500 })
  assert.equal(job.code, 'NO_MATCH')
  const { market } = await mesh.peer('one').control.status()
  assert.equal(market.notAnswered['bond below what is wanted'], 1)
  const explained = JSON.stringify(await mesh.peer('two').control.explainJob(job.id, inTime()))
  assert.match(explained, /BOND_TOO_LOW/)
  assert.match(explained, /wanted.*0\.5/)
})
