// Receipts of storage between peers: real planes, real shards on the disk, audits that are passed and audits that are not.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import {
  openStorageCountersignature,
  openStorageReceipt,
  periodOf,
  receiptGapMsMin,
  relayBytesMin,
  spanOf,
} from '../../protocols/storage/index.ts'
import { hashOfEnvelope, type PeerName } from '../../protocols/wire/index.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import type { Store } from '../../src/ledger/store.ts'
import { keptMibS } from '../../src/storage/kept.ts'
import { LedgerScrub } from '../../src/ledger/scrub.ts'
import { Damages } from '../../src/ledger/damages.ts'
import { network, notary } from '../support/peers.ts'
import { Planes, type PlanePeer } from '../support/planes.ts'

const hour = 60 * 60_000
const day = 24 * hour
const never = new AbortController().signal
const owner = 0

/** An owner, keepers, and an object of so many shards of 256 KiB. The clock stands early in a month. */
async function staged(code: string, keepers: number) {
  const planes = await Planes.of(1 + keepers, 1)
  planes.aheadMs = spanOf(periodOf(realClock.nowMs())).untilMs + day - realClock.nowMs()
  const { plane, ledger } = planes.peers[owner]!
  const put = await plane.puts.put({ path: await planes.file('data', realRandom.bytes(500_000)), code }, never)
  const round = async (afterMs: number): Promise<void> => {
    planes.aheadMs += afterMs
    await plane.care.audit(put.object, never)
    await plane.accounts.settle(never)
  }
  const accountOf = (keeper: PeerName) => plane.accounts.list().find(({ other }) => other === keeper)
  return { planes, plane, ledger, put, round, accountOf }
}

interface Half {
  readonly kind: string
  readonly envelope: Uint8Array
}

/** What a ledger has of receipts of storage, in order. */
function halves(ledger: Store): Half[] {
  return ledger.read((db) =>
    db.prepare("SELECT kind, envelope FROM statements WHERE kind LIKE 'storage-%' ORDER BY rowid").all(),
  ) as unknown as Half[]
}

test('what two keepers keep, and audits show, both sign: the same bytes in both ledgers, and a chain', async () => {
  const { planes, ledger, put, round, accountOf } = await staged('1+1', 2)
  await using _planes = planes
  // From the first audit on there is something to count from.
  await round(hour)
  for (let rounds = 0; rounds < 3; rounds++) await round(6 * hour)
  const { shardBytes } = await shardOf(planes)
  const days = keptMibS([{ bytes: shardBytes, fromMs: 0, untilMs: 18 * hour }])
  for (const { peer } of put.keepers) {
    const account = accountOf(peer)!
    assert.equal(account.receipts, 4)
    assert.equal(account.usage.auditsPassed, 4)
    // The clock of the test goes on by itself, for as long as the test takes.
    assert.ok(account.usage.storeMibS >= days && account.usage.storeMibS < days * 1.01, `${account.usage.storeMibS}`)
    assert.ok(account.usage.inBytes >= shardBytes, 'the shard that was put')
    assert.ok(account.usage.outBytes >= shardBytes, 'leaves that audits got')
    const keeper = planes.named(peer)
    const [there, ...others] = keeper.plane.accounts.list()
    assert.deepEqual({ ...there, role: 'owner', other: peer }, account)
    assert.deepEqual(others, [])
    const own = halves(ledger).filter(({ kind, envelope }) => byOf(kind, envelope, peer, account.account))
    assert.deepEqual(halves(keeper.ledger), own)
    let previous = Buffer.from(account.account, 'hex')
    for (const [index, { kind, envelope }] of own.entries()) {
      if (kind !== 'storage-receipt') continue
      const { body } = openStorageReceipt(notary(owner), envelope)
      assert.deepEqual(Buffer.from(body.previous), previous)
      previous = Buffer.from(hashOfEnvelope(envelope))
      const answer = openStorageCountersignature(notary(owner), own[index + 1]!.envelope)
      assert.deepEqual(Buffer.from(answer.body.receipt), previous)
    }
  }
  assert.deepEqual(planes.board.faults, [])
  assert.deepEqual(
    planes.peers.flatMap(({ faults }) => faults),
    [],
  )
})

function byOf(kind: string, envelope: Uint8Array, keeper: PeerName, account: string): boolean {
  if (kind === 'storage-receipt') return openStorageReceipt(notary(owner), envelope).by === keeper
  return openStorageCountersignature(notary(owner), envelope).body.account === account
}

async function shardOf(planes: Planes): Promise<{ shardBytes: number }> {
  const row = planes.peers.at(-1)!.ledger.read((db) => db.prepare('SELECT bytes FROM shards').get())
  return { shardBytes: row!['bytes'] as number }
}

test('a keeper that lost its shard gets nothing more, and the other goes on', async () => {
  const { planes, put, round, accountOf } = await staged('1+1', 2)
  await using _planes = planes
  await round(hour)
  await round(6 * hour)
  const [lost, well] = put.keepers.map(({ peer }) => peer)
  planes.named(lost!).ledger.writeNow((db) => db.exec('DELETE FROM shards'))
  const [lostBefore, wellBefore] = [accountOf(lost!)!.usage, accountOf(well!)!.usage]
  await round(6 * hour)
  await round(6 * hour)
  assert.deepEqual(accountOf(lost!)!.usage, lostBefore)
  assert.ok(accountOf(well!)!.usage.storeMibS > 2 * wellBefore.storeMibS)
})

test('silence is not paid for: time counts from one audit that is passed to the next', async () => {
  const { planes, put, round, accountOf } = await staged('1+1', 2)
  await using _planes = planes
  await round(hour)
  await round(6 * hour)
  const away = put.keepers[0]!.peer
  const before = accountOf(away)!.usage
  planes.board.dead.add(away)
  await round(6 * hour)
  planes.board.dead.delete(away)
  await round(6 * hour)
  assert.equal(accountOf(away)!.usage.storeMibS, before.storeMibS)
  await round(6 * hour)
  assert.ok(accountOf(away)!.usage.storeMibS >= 2 * before.storeMibS)
})

test('a keeper signs no more time than it kept, and an owner that asks without end gets one receipt a minute', async () => {
  const { planes, plane, put, round, accountOf } = await staged('1+1', 2)
  await using _planes = planes
  await round(hour)
  await round(6 * hour)
  const { peer } = put.keepers[0]!
  const { storeMibS } = accountOf(peer)!.usage
  const kept = { bytes: 2 ** 40, fromMs: planes.clock.nowMs() - hour, untilMs: planes.clock.nowMs() }
  await plane.accounts.shown([{ keeper: peer, kept }])
  await plane.accounts.settle(never)
  assert.equal(accountOf(peer)!.usage.storeMibS, storeMibS)
  assert.ok(planes.logged.some(({ facts }) => facts['code'] === 'NOTHING_NEW'))
  planes.aheadMs += receiptGapMsMin
  await plane.accounts.settle(never)
  const { shardBytes } = await shardOf(planes)
  const most = keptMibS([{ bytes: shardBytes, fromMs: 0, untilMs: 8 * hour }])
  assert.ok(accountOf(peer)!.usage.storeMibS > storeMibS && accountOf(peer)!.usage.storeMibS < most)
})

test('a month has an account of its own, and one that is over is let go', async () => {
  const { planes, plane, put, round } = await staged('1+1', 2)
  await using _planes = planes
  await round(hour)
  const { peer } = put.keepers[0]!
  const first = periodOf(planes.clock.nowMs())
  // Its term is made longer on the way.
  planes.aheadMs += 21 * day
  await plane.care.tend(never)
  // To three hours before the end of the month, and over it.
  await round(spanOf(first).untilMs - 3 * hour - planes.clock.nowMs())
  await round(6 * hour)
  const accounts = () => plane.accounts.list().filter(({ other }) => other === peer)
  assert.deepEqual(
    accounts()
      .map(({ period }) => period)
      .toSorted(),
    [first, periodOf(planes.clock.nowMs())],
  )
  const { shardBytes } = await shardOf(planes)
  const [before, after] = accounts().toSorted((one, other) => (one.period < other.period ? -1 : 1))
  const untilEnd = keptMibS([
    { bytes: shardBytes, fromMs: planes.clock.nowMs() - 6 * hour, untilMs: spanOf(first).untilMs },
  ])
  assert.ok(after!.usage.storeMibS > 0 && after!.usage.storeMibS <= untilEnd * 1.1)
  assert.ok(before!.usage.storeMibS > 100 * after!.usage.storeMibS)
  planes.aheadMs += 8 * day
  await plane.accounts.settle(never)
  // It stays in the list: its receipts may be asked for when nobody answers for it any more.
  assert.deepEqual(
    accounts().map(({ period }) => period),
    [periodOf(planes.clock.nowMs()), first],
  )
  const over = planes.peers[owner]!.ledger.read((db) =>
    db.prepare("SELECT id FROM machine_states WHERE kind = 'storage-owner' AND final = 1").all(),
  )
  assert.ok(over.some(({ id }) => id === before!.account))
})

test('who never put anything opens no account, and an account is not another peer’s', async () => {
  const { planes, plane, put, round } = await staged('1+1', 2)
  await using _planes = planes
  await round(hour)
  const stranger = planes.named(put.keepers[0]!.peer).plane.accounts
  const kept = { bytes: 2 ** 20, fromMs: planes.clock.nowMs() - hour, untilMs: planes.clock.nowMs() }
  await stranger.shown([{ keeper: put.keepers[1]!.peer, kept }])
  await stranger.settle(never)
  assert.ok(planes.logged.some(({ facts }) => facts['code'] === 'NOT_FOUND'))
  assert.equal(planes.named(put.keepers[1]!.peer).plane.accounts.list().length, 1)
  assert.ok(plane.accounts.list().every(({ receipts }) => receipts === 1))
})

test('bytes of a relay: the less of two counts is signed, for who keeps nothing there too, and both ways apart', async () => {
  await using planes = await Planes.of(2, 2)
  const [one, two] = planes.peers as [PlanePeer, PlanePeer]
  const signedOf = ({ plane }: PlanePeer, role: 'owner' | 'keeper') =>
    plane.accounts.list().find((account) => account.role === role)?.usage.relayBytes
  const settle = async (): Promise<void> => {
    planes.aheadMs += receiptGapMsMin
    for (const { plane } of planes.peers) await plane.accounts.settle(never)
  }
  /** `two` is the relay: as it counts, and as `one` does, which does not count handshakes. */
  const carry = (counted: number, heard: number): void => {
    two.relayed.onCarried(one.signer.peer, counted)
    one.relayed.onServed(two.signer.peer, heard)
  }
  carry(relayBytesMin + 3_000, relayBytesMin)
  await settle()
  assert.equal(signedOf(one, 'owner'), relayBytesMin)
  assert.equal(signedOf(two, 'keeper'), relayBytesMin)
  // A little more is written down once there is an account, and a relay that counts less signs less.
  carry(500, 4_000)
  await settle()
  assert.equal(signedOf(one, 'owner'), relayBytesMin + 3_500)
  // Now the other way round.
  one.relayed.onCarried(two.signer.peer, 2 * relayBytesMin)
  two.relayed.onServed(one.signer.peer, 2 * relayBytesMin)
  await settle()
  assert.equal(signedOf(two, 'owner'), 2 * relayBytesMin)
  assert.equal(signedOf(one, 'keeper'), 2 * relayBytesMin)
  assert.equal(signedOf(one, 'owner'), relayBytesMin + 3_500)
  assert.deepEqual([...one.faults, ...two.faults, ...planes.board.faults], [])
})

test('who is carried a little for opens no account, and what is taken up when a peer stops is not lost', async () => {
  await using planes = await Planes.of(2, 2)
  const [one, two] = planes.peers as [PlanePeer, PlanePeer]
  two.relayed.onCarried(one.signer.peer, relayBytesMin - 1)
  one.relayed.onServed(two.signer.peer, relayBytesMin)
  await one.plane.accounts.settle(never)
  assert.ok(planes.logged.some(({ facts }) => facts['code'] === 'NOT_FOUND'))
  assert.deepEqual(two.plane.accounts.list(), [])
  two.relayed.onCarried(one.signer.peer, 1)
  await one.plane.accounts.settle(never)
  assert.equal(two.plane.accounts.list()[0]!.usage.relayBytes, relayBytesMin)
  two.relayed.onCarried(one.signer.peer, 77)
  await two.plane.accounts.takeUp()
  assert.equal(two.relayed.carried.of(one.signer.peer), 0)
  one.relayed.onServed(two.signer.peer, 77)
  planes.aheadMs += receiptGapMsMin
  await one.plane.accounts.settle(never)
  assert.equal(two.plane.accounts.list()[0]!.usage.relayBytes, relayBytesMin + 77)
})

test('the scrub finds a flipped bit in a receipt of storage, and names it', async () => {
  const { planes, put, round } = await staged('1+1', 2)
  await using _planes = planes
  await round(hour)
  await round(6 * hour)
  const { ledger, signer: own } = planes.named(put.keepers[0]!.peer)
  const damages = new Damages(ledger, silentLog)
  const scrub = async () =>
    new LedgerScrub({
      store: ledger,
      notary: { signer: own, network },
      damages,
      clock: realClock,
      rowsPerSecond: Infinity,
    }).round(never)
  assert.equal((await scrub()).damaged, 0)
  const row = ledger.read((db) =>
    db.prepare("SELECT hash, envelope FROM statements WHERE kind = 'storage-receipt' LIMIT 1").get(),
  ) as { hash: Uint8Array; envelope: Uint8Array }
  const flipped = row.envelope.slice()
  flipped[40]! ^= 4
  ledger.writeNow((db) => db.prepare('UPDATE statements SET envelope = ? WHERE hash = ?').run(flipped, row.hash))
  assert.equal((await scrub()).damaged, 1)
  assert.match(damages.list()[0]!.place, /^statements /)
})
