// Receipts of storage between whole peers, over real streams, and over a restart.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { didOf } from '../../protocols/receipt/credential.ts'
import { realRandom } from '../../src/environment.ts'
import { verifyReceipts } from '../../verify/index.ts'
import { eventually, inTime, keeper, lendsNothing, Mesh } from '../support/mesh.ts'

const often = { ports: { receiptsEveryMs: 100 } }

test('an audit leads to a receipt that owner and keepers have alike, and a restart keeps it', async () => {
  await using mesh = await Mesh.of({
    owner: { ...lendsNothing, ...often },
    keeper1: { ...keeper, ...often },
    keeper2: { ...keeper, ...often },
  })
  const names = ['keeper1', 'keeper2']
  await mesh.knows('owner', names)
  const receiptsOf = async (name: string) => mesh.peer(name).control.storageReceipts()
  const { object } = await mesh
    .peer('owner')
    .control.put({ path: await mesh.file('data', realRandom.bytes(3_000_000)), code: '1+1' }, inTime())
  assert.deepEqual(await receiptsOf('owner'), [])
  await mesh.peer('owner').control.audit(object, inTime())
  await eventually('both keepers have a receipt that both have signed', async () =>
    (await Promise.all(names.map(receiptsOf))).every(([one]) => one?.receipts === 1),
  )
  const own = await receiptsOf('owner')
  for (const name of names) {
    const { name: peer } = mesh.peer(name)
    const { role, other, ...said } = own.find((one) => one.other.peer === peer)!
    const [there, ...more] = await receiptsOf(name)
    assert.deepEqual(more, [])
    assert.deepEqual({ ...there, role, other }, { ...said, role, other })
    assert.deepEqual([role, there!.role, there!.other.peer], ['owner', 'keeper', mesh.peer('owner').name])
    assert.ok(said.inBytes >= 3_000_000 && said.outBytes > 0 && said.auditsPassed === 1)
    // Either can show it to somebody who has nothing of ours, and it is the same.
    const file = await mesh.peer('owner').control.receiptFile(said.account)
    assert.deepEqual(await mesh.peer(name).control.receiptFile(said.account.slice(0, 12)), file)
    for (const shower of ['owner', name]) {
      const credential = await mesh.peer(shower).control.receiptCredential(said.account)
      const verdict = await verifyReceipts(JSON.stringify(credential))
      assert.ok(verdict.ok && verdict.kind === 'pleach-storage-receipts', JSON.stringify(verdict))
      assert.deepEqual([verdict.owner, verdict.keeper], [mesh.peer('owner').name, peer])
      assert.deepEqual([verdict.bothSigned, verdict.usage.inBytes], [1, said.inBytes])
      assert.equal(verdict.credential?.issuer, didOf(mesh.peer(shower).name))
    }
  }
  await mesh.stop('owner')
  await mesh.startAgain('owner')
  assert.deepEqual(
    (await receiptsOf('owner')).toSorted((one, two) => one.account.localeCompare(two.account)),
    own.toSorted((one, two) => one.account.localeCompare(two.account)),
  )
})
