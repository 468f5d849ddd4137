import assert from 'node:assert/strict'
import { test } from 'node:test'

import { originOf, sealStatement } from '../../protocols/settle/index.ts'
import { isDue, settlePolicy, unsettledOf } from '../../src/settlement/policy.ts'
import { network } from '../support/peers.ts'
import { DeskWorld, type DeskPeer } from './desks.ts'
import { betrayalOf, entryOf, evidenceOf, leaseNamed, statementOf, unit } from './parties.ts'

const hourMs = 3_600_000

/** `provider` has worked for `requester`; both hold the receipt, unless only one does. */
function work(provider: DeskPeer, requester: DeskPeer, name: string, sequence: number, amountMicro: number): void {
  const evidence = evidenceOf(provider.notary, requester.notary, leaseNamed(name), sequence, amountMicro)
  provider.hold(evidence)
  requester.hold(evidence)
}

const unsettled = (peer: DeskPeer, other: DeskPeer) =>
  unsettledOf(peer.name, peer.books.totalsWith(other.name, unit)).leases

test('within two periods everybody has settled with everybody that it worked with, and then there is silence', async () => {
  const world = new DeskWorld()
  const peers = [1, 2, 3, 4].map((seed) => world.peer(seed))
  for (const [index, peer] of peers.entries()) {
    for (const other of peers.slice(index + 1)) {
      work(peer, other, `${peer.name} ${other.name}`, 1, 100 * (index + 1))
      work(other, peer, `${other.name} ${peer.name}`, 1, 70)
    }
  }
  await world.pass(2 * hourMs)
  const frames = world.frames
  assert.equal(frames, 12, 'one PROPOSE and one AGREE a pair')
  for (const peer of peers) {
    assert.equal(peer.agreed().length, 3)
    assert.deepEqual(peer.faults, [])
    for (const other of peers) assert.equal(peer === other ? 0 : unsettled(peer, other), 0)
  }
  await world.pass(5 * hourMs)
  assert.equal(world.frames, frames)
  work(peers[0]!, peers[1]!, `${peers[0]!.name} ${peers[1]!.name}`, 2, 150)
  await world.pass(2 * hourMs)
  const last = peers[0]!.agreed().at(-1)!.statement.body
  assert.deepEqual([last.number, last.netMicro, last.debtor], [2, 50, peers[1]!.name])
})

test('much is settled before the period is over', async () => {
  const world = new DeskWorld({ ...settlePolicy, periodMs: 100 * hourMs, retryMs: 60_000 })
  const [one, two] = [world.peer(1), world.peer(2)]
  work(one, two, 'small', 1, 5)
  await world.pass(hourMs)
  assert.equal(one.agreed().length, 0)
  work(one, two, 'great', 1, settlePolicy.netUnsettledMicroMax)
  assert.ok(await world.pass(300_000, () => one.agreed().length > 0 && two.agreed().length > 0))
  assert.deepEqual(one.agreed(), two.agreed())
})

test('whatever is lost or doubled, it is settled once', async () => {
  for (let lost = 0; lost < 6; lost++) {
    const world = new DeskWorld()
    world.fate = (count) => (count === lost ? 0 : 2)
    const [one, two] = [world.peer(1), world.peer(2)]
    work(one, two, 'one', 1, 90)
    // The countersignature of the second has not come back: it is proved.
    two.hold(evidenceOf(one.notary, two.notary, leaseNamed('one'), 2, 95))
    one.desk.propose(two.name, unit)
    two.desk.propose(one.name, unit)
    assert.ok(await world.pass(hourMs, () => one.agreed().length > 0 && two.agreed().length > 0))
    await world.pass(2 * hourMs)
    assert.deepEqual(one.agreed(), two.agreed())
    assert.deepEqual(
      one.agreed().map(({ statement }) => statement.body.netMicro),
      [95],
    )
    assert.deepEqual([...one.faults, ...two.faults], [])
  }
})

test('a crash before, between and after every write: both come to the same chain', async () => {
  for (let crashMs = 0; crashMs < 110; crashMs += 1) {
    const world = new DeskWorld()
    const [one, two] = [world.peer(1), world.peer(2)]
    work(one, two, 'one', 1, 90)
    two.hold(evidenceOf(one.notary, two.notary, leaseNamed('one'), 2, 95))
    one.desk.propose(two.name, unit)
    await world.pass(crashMs)
    const victim = crashMs % 2 === 0 ? one : two
    victim.crash()
    await world.pass(7)
    victim.restart()
    await world.pass(3 * hourMs)
    for (const peer of [one, two]) {
      assert.equal(
        peer.books.totalsWith(peer === one ? two.name : one.name, unit)[0]?.settledMicro,
        95,
        `${crashMs} ms`,
      )
      assert.deepEqual(peer.faults, [], `${crashMs} ms`)
    }
    assert.deepEqual(one.desk.accounts()[0]?.head, two.desk.accounts()[0]?.head, `${crashMs} ms`)
  }
})

test('the books are read in the step: the same proposal twice in a row is agreed to once', async () => {
  const world = new DeskWorld()
  const [one, two] = [world.peer(1), world.peer(2)]
  work(one, two, 'one', 1, 90)
  world.fate = () => 3
  one.desk.propose(two.name, unit)
  await world.pass(1_000)
  assert.equal(two.commits, 1)
  assert.deepEqual([...one.faults, ...two.faults], [])
})

test('a stranger opens no account, nor does an answer to nothing', async () => {
  const world = new DeskWorld()
  const [one, two, stranger] = [world.peer(1), world.peer(2), world.peer(3)]
  const evidence = evidenceOf(stranger.notary, one.notary, leaseNamed('forged'), 1, 5)
  const names = [one.name, stranger.name].toSorted()
  const body = {
    ...statementOf([entryOf(stranger.notary, leaseNamed('forged'), evidence)]),
    lower: names[0]!,
    higher: names[1]!,
    previous: originOf(network, one.name, stranger.name, unit),
  }
  one.desk.onSettling(stranger.name, {
    say: 'propose',
    statement: sealStatement(stranger.notary, body),
    evidence: [evidence],
    forfeits: [],
  })
  await world.pass(1_000)
  assert.deepEqual([one.desk.accounts(), one.commits, world.frames], [[], 0, 0])
  two.desk.propose(one.name, unit)
  await world.pass(1_000)
  assert.equal(world.frames, 0, 'nothing to settle')
})

test('a bond is due as soon as it is proven, and its proof opens an account with who never had a receipt of the lease', async () => {
  const world = new DeskWorld()
  const [one, two] = [world.peer(1), world.peer(2)]
  const { lease, proof } = betrayalOf(two.notary, one.notary, 5_000, { of: 'accept' })
  one.books.claim(two.name, unit, lease, proof)
  assert.equal(one.desk.worth(two.name, unit), 'something')
  one.desk.start()
  await world.pass(settlePolicy.retryMs + settlePolicy.periodMs + 2 * settlePolicy.lookEveryMs)
  for (const peer of [one, two]) {
    const [agreed] = peer.agreed()
    assert.deepEqual([agreed?.statement.body.netMicro, agreed?.statement.body.debtor], [5_000, two.name])
    assert.deepEqual(peer.faults, [])
  }
  assert.equal(one.desk.worth(two.name, unit), 'nothing')
  // A row that the disk has changed is worth nothing.
  one.books.claim(two.name, unit, 'changed', { ...proof, award: proof.first })
  assert.equal(one.desk.worth(two.name, unit), 'nothing')
})

test('a ledger that cannot be written says nothing, and nobody is blamed for it', async () => {
  const world = new DeskWorld()
  const [one, two] = [world.peer(1), world.peer(2)]
  work(one, two, 'one', 1, 90)
  one.isFull = true
  one.desk.propose(two.name, unit)
  await world.pass(1_000)
  assert.equal(world.frames, 0)
  one.isFull = false
  one.crash()
  one.restart()
  one.desk.propose(two.name, unit)
  await world.pass(1_000)
  assert.equal(two.agreed().length, 1)
})

test('a desk that is stopped waits for nothing', async () => {
  const world = new DeskWorld()
  const [one, two] = [world.peer(1), world.peer(2)]
  work(one, two, 'one', 1, 90)
  world.fate = () => 0
  one.desk.propose(two.name, unit)
  await world.pass(100)
  await Promise.all([one.desk.stop(), two.desk.stop()])
  await world.pass(10)
  assert.equal(world.clock.nextMs, undefined)
})

test('when it is due', () => {
  const due = (at: Parameters<typeof isDue>[1], leases: number, netMicro: bigint, sinceMs: number) =>
    isDue(settlePolicy, at, { leases, netMicro, earnedMicro: 0n, forfeits: 0 }, sinceMs)
  const { periodMs, retryMs, leasesUnsettledMax, netUnsettledMicroMax } = settlePolicy
  assert.equal(due('resting', 0, 0n, 10 * periodMs), false, 'nothing is unsettled')
  assert.equal(due('resting', 1, 1n, periodMs - 1), false)
  assert.equal(due('resting', 1, 0n, periodMs), true, 'a net of 0 is settled too')
  assert.equal(due('resting', leasesUnsettledMax, 0n, retryMs), true)
  assert.equal(due('resting', 1, -BigInt(netUnsettledMicroMax), retryMs), true, 'whoever owes it')
  assert.equal(due('resting', leasesUnsettledMax, 0n, retryMs - 1), false)
  const earned = { leases: 2, netMicro: 0n, earnedMicro: BigInt(settlePolicy.earnedUnsettledMicroMax), forfeits: 0 }
  assert.equal(isDue(settlePolicy, 'resting', earned, retryMs), true, 'what we owe beside it is another matter')
  assert.equal(due('unanswered', 0, 0n, periodMs), true, 'it is asked again')
  assert.equal(due('stalled', 0, 0n, periodMs), true)
  for (const at of ['proposing', 'answering'] as const) assert.equal(due(at, 100, 0n, 10 * periodMs), false)
})
