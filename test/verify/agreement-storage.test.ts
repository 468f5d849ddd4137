/**
 * Files of receipts of storage: the verifier without dependencies, the one of the protocols and the one in Python say the same, with the same
 * code, of the same place. The golden files are in agreement.test.ts, with those of work.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { fromString } from 'uint8arrays'

import { sealStorageCredential, type StorageFile } from '../../protocols/storage/file.ts'
import { noStorage } from '../../protocols/storage/index.ts'
import { decodeEnvelope } from '../../protocols/wire/envelope-form.ts'
import { sealEnvelope, type Notary } from '../../protocols/wire/index.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import { asker, provider, requester, startMs, worker } from '../negotiate/parties.ts'
import { Account, base64 } from '../receipt/accounts.ts'
import { KeptAccount } from '../storage/accounts.ts'
import { bothSay, placesOf, valueAt, verdictOf, withValue } from './both.ts'

const kept = new KeptAccount().counts({ inBytes: 1_048_576 }).counts({ relayBytes: 2_097_152 })
const good = kept.file()
const small: StorageFile = { ...good, receipts: good.receipts.slice(0, 1) }
const credential = sealStorageCredential(worker, small, startMs)
const { network } = good
const lacksPython =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
    ? false
    : 'there is no python3 of at least 3.9 on this machine'

/** Where statements stand, what each is, and who signs it. */
const statements = (file: StorageFile): readonly (readonly [place: string, type: string, by: Notary])[] =>
  file.receipts.flatMap((_, index) => [
    [`receipts.${index}.receipt`, 'storage-receipt', worker] as const,
    [`receipts.${index}.countersignature`, 'storage-countersignature', asker] as const,
  ])
const bytesAt = (file: StorageFile, place: string): Uint8Array =>
  fromString(valueAt(file, place) as string, 'base64pad')
const damagedAt = (file: StorageFile, place: string, bit: number): StorageFile => {
  const bad = bytesAt(file, place)
  bad[bit >> 3]! ^= 1 << (bit & 7)
  return withValue(file, place, base64(bad))
}

test('a file of the real machines holds, and says what both signed and what the keeper alone did', async () => {
  const { account, owner, keeper, period } = { ...kept.account, account: kept.account.id }
  const usage = { storeMibS: 7_200, auditsPassed: 2, inBytes: 1_048_576, outBytes: 131_072, relayBytes: 2_097_152 }
  const said = { ok: true, kind: 'pleach-storage-receipts', credential: null, network, account, owner, keeper, period }
  const hours = (count: number): number => Date.UTC(2026, 2, 1, count)
  assert.deepEqual(await bothSay(JSON.stringify(good)), {
    ...said,
    lastMs: hours(2),
    receipts: 2,
    bothSigned: 2,
    signedMs: hours(2),
    usage,
    claimed: usage,
  })
  assert.deepEqual([owner, keeper, period], [requester, provider, '2026-03'])
  const half = new KeptAccount().counts({ inBytes: 1_048_576 }).counts({ relayBytes: 2_097_152 }, false).file()
  const first = { ...usage, storeMibS: 3_600, auditsPassed: 1, outBytes: 65_536, relayBytes: 0 }
  const stand = { ...said, lastMs: hours(2), receipts: 2, bothSigned: 1, signedMs: hours(1), usage: first }
  assert.deepEqual(await bothSay(half), { ...stand, claimed: usage })
  const none = await bothSay(withValue(small, 'receipts.0.countersignature', null))
  assert.ok(none.ok && none.kind === 'pleach-storage-receipts')
  assert.deepEqual([none.bothSigned, none.signedMs, none.usage], [0, null, noStorage])
})

test('a bit of every byte, turned over', async () => {
  const random = new SeededRandom(8)
  let bits = 0
  for (const [place] of statements(small)) {
    const flips = Array.from(bytesAt(small, place), (_, at) => at * 8 + random.between(0, 7))
    bits += flips.length
    for (const bit of flips) {
      const verdict = await bothSay(damagedAt(small, place, bit), `${place} bit ${bit}`)
      assert.ok(!verdict.ok && verdict.at === place, `${place} bit ${bit}`)
    }
  }
  assert.ok(bits > 500, `${bits} bits`)
})

test('bytes changed, taken out and put in from a seed, signed', async () => {
  const random = new SeededRandom(9)
  const below = (bound: number): number => random.next() % bound
  const codes = new Set<string>()
  for (const [place, name, by] of statements(good)) {
    const { payload } = decodeEnvelope(bytesAt(good, place))
    for (let round = 0; round < 100; round++) {
      const bytes = [...payload]
      for (let times = 1 + below(3); times > 0; times--) {
        const at = below(bytes.length + 1)
        if (below(3) === 0) bytes.splice(at, 1 + below(4))
        else bytes.splice(at, below(2), [below(256), 0x80, 0xff, 0x00, 0x7f, at & 0xff][below(6)]!)
      }
      const changed = sealEnvelope(by.signer, network, { name, version: 1 }, Uint8Array.from(bytes))
      codes.add(await verdictOf(withValue(good, place, base64(changed)), `${place} round ${round}`))
    }
  }
  assert.ok(codes.size > 8, [...codes].join(', '))
})

/** What a file may be instead, with the verdict where that is known. */
function changedFiles(): unknown[] {
  const random = new SeededRandom(10)
  const files: unknown[] = [good, small, credential, sealStorageCredential(asker, small, startMs)]
  for (const place of placesOf(small)) {
    for (const value of [undefined, null, 1, '', 'AAAA', [], {}, '\ud800', 'x'.repeat(65)])
      files.push(withValue(small, place, value))
  }
  files.push(withValue(small, 'receipts.0.receipt', 'A'.repeat(1_000_001)))
  for (const [place] of statements(good)) {
    files.push(damagedAt(good, place, random.between(0, bytesAt(good, place).length * 8 - 1)))
    for (const [from] of statements(good)) files.push(withValue(good, place, valueAt(good, from)))
  }
  for (const name of ['elsewhere', '', 'x'.repeat(33)]) files.push({ ...good, network: name })
  for (const period of ['2026-04', '2026-13', '2026-3', '2026-03\n']) files.push({ ...good, period })
  files.push({ ...good, owner: provider }, { ...good, keeper: requester }, { ...good, more: 1 })
  for (const place of placesOf(credential).filter((path) => !path.startsWith('evidence.0.file.')))
    for (const value of [undefined, 'x']) files.push(withValue<unknown>(credential, place, value))
  // Of the one kind, said to be of the other.
  files.push({ ...good, kind: 'pleach-receipts' }, { ...new Account().ends(1_000).file(), kind: good.kind })
  files.push({ ...credential, evidence: { 0: { file: good } } }, { ...credential, evidence: [null] })
  return files
}

test(
  'keys and statements of other kinds, in other places, and claims: all three say the same',
  { skip: lacksPython },
  async () => {
    const files = changedFiles()
    const folder = mkdtempSync(join(tmpdir(), 'pleach-kept-'))
    try {
      const paths = files.map((file, index) => join(folder, `${String(index).padStart(4, '0')}.json`))
      for (const [index, path] of paths.entries()) writeFileSync(path, JSON.stringify(files[index]))
      const program = join(import.meta.dirname, '..', 'strangers', 'receipts.py')
      const { stdout, stderr } = spawnSync('python3', ['-B', program, ...paths], { encoding: 'utf8' })
      assert.equal(stderr, '')
      const lines = stdout.trimEnd().split('\n')
      assert.equal(lines.length, files.length)
      for (const [index, file] of files.entries()) {
        const text = JSON.stringify(file)
        const verdict = await bothSay(text, text.slice(0, 200))
        const { problem: _, ...said } = verdict as typeof verdict & { problem?: string }
        assert.deepEqual(JSON.parse(lines[index]!), said, text.slice(0, 500))
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  },
)

test('receipts of another network than is expected do not hold', async () => {
  assert.equal(await verdictOf(good, '', network), 'ok')
  assert.equal(await verdictOf(good, '', 'main'), 'NETWORK_FOREIGN at network')
  assert.equal(await verdictOf(credential, '', 'main'), 'NETWORK_FOREIGN at evidence.0.file.network')
  assert.equal(await verdictOf({ ...credential, more: 1 }), 'CLAIM_DIFFERS at more')
})
