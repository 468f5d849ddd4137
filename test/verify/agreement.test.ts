/**
 * The verifier without dependencies against the one of the protocols: over golden files, a bit of every byte of a small file, what a liar could sign, and
 * thousands of changes from a seed, both say the same, with the same code, of the same place.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import fc from 'fast-check'
import { fromString } from 'uint8arrays'

import { sealCredential } from '../../protocols/receipt/credential.ts'
import type { ReceiptFile } from '../../protocols/receipt/file.ts'
import { decodeEnvelope } from '../../protocols/wire/envelope-form.ts'
import { sealDispute } from '../../protocols/receipt/index.ts'
import { sealEnvelope, sha256, type Facts, type Notary, type StatementType } from '../../protocols/wire/index.ts'
import { SeededRandom } from '../../src/testing/seeded-random.ts'
import { asker, startMs, stranger, worker } from '../negotiate/parties.ts'
import { Account, base64 } from '../receipt/accounts.ts'
import { bothSay, placesOf, valueAt, verdictOf, withValue } from './both.ts'

const account = new Account().pays(1_000).pays(3_000).ends(7_500)
const good = account.file()
const short = new Account().ends(1_000)
const [receiptBytes] = short.receipts.map(({ receipt }) => receipt)
const dispute = (facts: Facts = { claimedMs: 1_000, said: 'text', flag: true }) =>
  sealDispute(asker, {
    lease: short.lease.id,
    sequence: 1,
    receipt: sha256(receiptBytes!),
    refusal: { code: 'WALL_TIME', facts },
    issuedMs: startMs + 900,
  }).envelope
const small: ReceiptFile = { ...short.file(), disputes: [base64(dispute())] }
const network = good.network
const lacksPython =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
    ? false
    : 'there is no python3 of at least 3.9 on this machine'

/** Where statements stand, what each is, and who signs it. */
const statements = (file: ReceiptFile): readonly (readonly [place: string, type: string, by: Notary])[] => [
  ['lease.award', 'award', asker],
  ['lease.accept', 'accept', worker],
  ['lease.commit', 'commit', asker],
  ['result', 'result', worker],
  ...file.receipts.flatMap((_, index) => [
    [`receipts.${index}.receipt`, 'receipt', worker] as const,
    [`receipts.${index}.countersignature`, 'countersignature', asker] as const,
  ]),
  ...file.disputes.map((_, index) => [`disputes.${index}`, 'receipt-dispute', asker] as const),
]
const bytesAt = (file: ReceiptFile, place: string): Uint8Array =>
  fromString(valueAt(file, place) as string, 'base64pad')

const shown = (value: unknown): string => `${JSON.stringify(value)}`.slice(0, 20)

test('the golden files: as it is written beside them', async () => {
  const files = ['lease', 'storage'].flatMap((name) => {
    const path = join(import.meta.dirname, '..', 'vectors', `${name}.json`)
    const { cases } = JSON.parse(readFileSync(path, 'utf8')) as {
      cases: { name: string; kind: string; file: unknown; meaning?: object; at?: string; code?: string }[]
    }
    return cases.filter(({ kind }) => kind === 'receipt-file')
  })
  for (const { name, file, meaning, at, code } of files) {
    const { ok, ...said } = await bothSay(file, name)
    assert.equal(ok, at === undefined, name)
    assert.deepEqual(said, meaning ?? { at, code, problem: (said as { problem: string }).problem }, name)
  }
  assert.ok(files.length > 40)
})

test('a dispute has a code, and facts that are few, short and exact', async () => {
  const facts = (count: number): Facts =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`fact${index}`, index]))
  const rows: [Facts, string][] = [
    [{}, 'ok'],
    [facts(16), 'ok'],
    [facts(17), 'FIELD_INVALID at disputes.0'],
    [{ at: -(2 ** 53 - 1), far: 2 ** 53 - 1 }, 'ok'],
    [{ at: 2 ** 53 }, 'FIELD_INVALID at disputes.0'],
    [{ at: -(2 ** 53) }, 'FIELD_INVALID at disputes.0'],
    [{ ['n'.repeat(200)]: 'x'.repeat(200) }, 'ok'],
    [{ ['n'.repeat(201)]: 1 }, 'FIELD_INVALID at disputes.0'],
    [{ line: 'a\nb' }, 'FIELD_INVALID at disputes.0'],
  ]
  for (const [said, verdict] of rows)
    assert.equal(
      await verdictOf({ ...small, disputes: [base64(dispute(said))] }),
      verdict,
      JSON.stringify(said).slice(0, 80),
    )
})

test('a bit of every byte of a small file, turned over', { timeout: 300_000 }, async () => {
  const random = new SeededRandom(8)
  let bits = 0
  for (const [place] of statements(small)) {
    const bytes = bytesAt(small, place)
    // One: a signature covers the other seven as well.
    const flips = Array.from(bytes, (_, at) => at * 8 + random.between(0, 7))
    bits += flips.length
    for (let at = 0; at < flips.length; at += 64) {
      await Promise.all(
        flips.slice(at, at + 64).map(async (bit) => {
          const bad = bytes.slice()
          bad[bit >> 3]! ^= 1 << (bit & 7)
          const verdict = await bothSay(withValue(small, place, base64(bad)), `${place} bit ${bit}`)
          assert.ok(!verdict.ok && verdict.at === place, `${place} bit ${bit}`)
        }),
      )
    }
  }
  assert.ok(bits > 1_250, `${bits} bits`)
})

test('a stranger who reads them in Python says the same', { skip: lacksPython, timeout: 300_000 }, async () => {
  const random = new SeededRandom(9)
  const credential = sealCredential(worker, small, startMs)
  const files: unknown[] = [good, small, credential, sealCredential(asker, good, startMs), {}, [], { '@context': 1 }]
  for (const place of placesOf(small)) {
    for (const value of [undefined, null, 1, 'AAAA', {}]) files.push(withValue(small, place, value))
    if (typeof valueAt(small, place) === 'string' && place.includes('.')) {
      const bad = bytesAt(small, place)
      bad[random.next() % bad.byteLength]! ^= 1 << (random.next() & 7)
      files.push(withValue(small, place, base64(bad)))
    }
  }
  for (const place of placesOf(credential).filter((path) => !path.startsWith('evidence.0.file.')))
    for (const value of [undefined, null, 1, 'x']) files.push(withValue(credential, place, value))
  const folder = mkdtempSync(join(tmpdir(), 'pleach-strangers-'))
  try {
    const paths = files.map((file, index) => join(folder, `${String(index).padStart(4, '0')}.json`))
    for (const [index, path] of paths.entries()) writeFileSync(path, JSON.stringify(files[index]))
    const program = join(import.meta.dirname, '..', 'strangers', 'receipts.py')
    const { stdout, stderr } = spawnSync('python3', ['-B', program, ...paths], { encoding: 'utf8' })
    assert.equal(stderr, '')
    const lines = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown)
    assert.equal(lines.length, files.length)
    for (const [index, file] of files.entries()) {
      const verdict = await bothSay(JSON.stringify(file))
      const { problem: _, ...said } = verdict as typeof verdict & { problem?: string }
      assert.deepEqual(lines[index], said, JSON.stringify(file).slice(0, 500))
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** What a party itself could sign instead: the payload changed, and a signature that fits it. */
function signedAnew(
  file: ReceiptFile,
  place: string,
  type: string,
  by: Notary,
  change: (payload: Uint8Array) => Uint8Array,
) {
  const { payload } = decodeEnvelope(bytesAt(file, place))
  const kind: StatementType = { name: type, version: 1 }
  return withValue(file, place, base64(sealEnvelope(by.signer, network, kind, change(payload.slice()))))
}

test('every bit of what is said, turned over and signed', { timeout: 300_000 }, async () => {
  for (const [place, type, by] of statements(small)) {
    const { payload } = decodeEnvelope(bytesAt(small, place))
    // Of an award most is the manifest, of which one bit is as good as another.
    const bits = Math.min(payload.byteLength * 8, 2_000)
    for (let bit = 0; bit < bits; bit++) {
      const file = signedAnew(small, place, type, by, (bytes) => {
        bytes[bit >> 3]! ^= 1 << (bit & 7)
        return bytes
      })
      await bothSay(file, `${place} bit ${bit}`)
    }
  }
})

/** Pieces of protobuf, lawful and not: what a writer of another mind, or of none, puts into a message. */
const pieces: readonly number[][] = [
  [0x00],
  [0x07],
  [0x08, 0x00],
  [0x10, 0x80, 0x00],
  [0x18, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0x18, 0xff, 0xff, 0xff, 0xff, 0x1f],
  [0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0x30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
  [0x30, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0x40, 0x05],
  [0x42, 0x00],
  [0x42, 0x02, 0x08, 0x05],
  [0x42, 0x80, 0x80, 0x80, 0x80, 0x10],
  [0x58, 0x01],
  [0x58, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
  [0x4a, 0x02, 0xc3, 0x28],
  [0x4a, 0x03, 0xef, 0xbb, 0xbf],
  [0x62, 0x01, 0x00],
  [0x93, 0x01, 0x94, 0x01],
  [0x93, 0x01, 0x08, 0x01, 0x94, 0x01],
  [0x93, 0x01, 0x0c],
  [0xf8, 0x07, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
  [0xf9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8],
  [0xfd, 0x07, 1, 2, 3, 4],
  [0xfa, 0x07, 0x02, 0x61, 0x62],
  [0xfa, 0x07, 0xff, 0xff, 0xff, 0xff, 0x0f],
  [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00],
  [0xf8, 0xff, 0xff, 0xff, 0x0f, 0x00],
  [0xf8, 0xff, 0xff, 0xff, 0x1f, 0x00],
  Array.from<number[]>({ length: 120 }).fill([0xa3, 0x06]).flat(),
  [
    ...Array.from<number[]>({ length: 98 }).fill([0xa3, 0x06]).flat(),
    ...Array.from<number[]>({ length: 98 }).fill([0xa4, 0x06]).flat(),
  ],
  [
    ...Array.from<number[]>({ length: 99 }).fill([0xa3, 0x06]).flat(),
    ...Array.from<number[]>({ length: 99 }).fill([0xa4, 0x06]).flat(),
  ],
  [
    ...Array.from<number[]>({ length: 100 }).fill([0xa3, 0x06]).flat(),
    ...Array.from<number[]>({ length: 100 }).fill([0xa4, 0x06]).flat(),
  ],
]

test('fields that no writer writes, before, behind and twice, signed', { timeout: 300_000 }, async () => {
  let ok = 0
  for (const [place, type, by] of statements(good)) {
    for (const [index, piece] of pieces.entries()) {
      const extra = Uint8Array.from(piece)
      for (const change of [
        (payload: Uint8Array) => Uint8Array.of(...payload, ...extra),
        (payload: Uint8Array) => Uint8Array.of(...extra, ...payload),
      ]) {
        const verdict = await bothSay(signedAnew(good, place, type, by, change), `${place} piece ${index}`)
        if (verdict.ok) ok++
      }
    }
    await bothSay(
      signedAnew(good, place, type, by, (payload) => Uint8Array.of(...payload, ...payload)),
      `${place} twice`,
    )
    await bothSay(
      signedAnew(good, place, type, by, () => new Uint8Array()),
      `${place} empty`,
    )
  }
  // A countersignature with a field more is one: nothing else hangs on its bytes.
  assert.ok(ok > 10, `${ok} are lawful`)
})

test('bytes changed, taken out and put in from a seed, signed', { timeout: 300_000 }, async () => {
  const random = new SeededRandom(8)
  const below = (bound: number): number => random.next() % bound
  for (const [place, type, by] of statements(small)) {
    for (let round = 0; round < 250; round++) {
      const file = signedAnew(small, place, type, by, (payload) => {
        const bytes = [...payload]
        for (let times = 1 + below(3); times > 0; times--) {
          const at = below(bytes.length + 1)
          if (below(3) === 0) bytes.splice(at, 1 + below(4))
          else bytes.splice(at, below(2), [below(256), 0x80, 0xff, 0x00, 0x7f, at & 0xff][below(6)]!)
        }
        return Uint8Array.from(bytes)
      })
      await bothSay(file, `${place} round ${round}`)
    }
  }
})

test('keys taken out, values of other kinds, keys that are not known: found by their place', async () => {
  const values = [
    undefined,
    null,
    0,
    1,
    1.5,
    '',
    'x',
    'AAAA',
    '=',
    true,
    [],
    {},
    [[]],
    '\ud800',
    'x'.repeat(70),
    'A'.repeat(1_000_001),
  ]
  for (const place of ['v', 'kind', 'network', 'disputes', ...placesOf(good)]) {
    for (const value of values) {
      const file = withValue(good, place, value)
      const verdict = await bothSay(file, `${place} as ${shown(value)}`)
      const isLawful =
        (value === null && (place === 'result' || place.endsWith('countersignature'))) ||
        // Without its last receipts a file is of a lease that is not over.
        ((place === 'receipts' || place === 'disputes') && Array.isArray(value) && value.length === 0) ||
        (value === undefined && place === `receipts.${good.receipts.length - 1}`) ||
        (place === 'v' && value === 1)
      assert.equal(verdict.ok, isLawful, `${place} as ${shown(value)}`)
    }
  }
  for (const place of ['more', 'lease.more', 'receipts.0.more']) {
    const verdict = await bothSay(withValue(good, place, 'x'))
    assert.deepEqual(verdict, { ok: false, code: 'BAD_RECEIPT_FILE', problem: 'there is no such key', at: place })
  }
  for (const file of [
    undefined,
    null,
    0,
    '',
    [],
    'no JSON',
    '{}',
    '[]',
    'null',
    JSON.stringify(good),
    '{"@context":[]}',
  ])
    await bothSay(file)
})

test('junk, alone and in any place, is a verdict and never an exception', async () => {
  const credential = sealCredential(worker, small, startMs)
  const places = [
    ...placesOf(small).map((place) => [small, place] as const),
    ...placesOf(credential).map((place) => [credential, place] as const),
  ]
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.anything()), async (junk) => assert.ok(!(await bothSay(junk)).ok)),
    { numRuns: 300 },
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...places), fc.jsonValue(), async ([file, place], junk) => {
      await bothSay(withValue<unknown>(file, place, junk), place)
    }),
    { numRuns: 300 },
  )
})

test('statements in the places of others, on other networks, left out, half signed', async () => {
  const places = statements(good).map(([place]) => place)
  for (const place of places)
    for (const from of places) await bothSay(withValue(good, place, valueAt(good, from)), `${from} as ${place}`)
  for (const other of ['elsewhere', `${network}s`, 'x'.repeat(32)])
    assert.equal(await verdictOf({ ...good, network: other }), 'NETWORK_FOREIGN at lease.award')
  for (const none of ['', network.toUpperCase(), `${network} `, `${network}\n`, 'x'.repeat(33), 7])
    assert.equal(await verdictOf({ ...good, network: none }), 'BAD_RECEIPT_FILE at network')
  assert.equal(await verdictOf(good, '', network), 'ok')
  assert.equal(await verdictOf(good, '', 'main'), 'NETWORK_FOREIGN at network')
  const credential = sealCredential(worker, good, startMs)
  assert.equal(await verdictOf(credential, '', network), 'ok')
  assert.equal(await verdictOf(credential, '', 'main'), 'NETWORK_FOREIGN at evidence.0.file.network')
  for (const index of good.receipts.keys()) {
    const half = await bothSay(withValue(good, `receipts.${index}.countersignature`, null))
    assert.ok(half.ok && half.bothSigned === 2)
  }
})

test('a credential: whatever is changed in it is found', async () => {
  for (const by of [worker, asker]) {
    const credential = sealCredential(by, good, startMs)
    const whole = await bothSay(credential)
    assert.ok(whole.ok && whole.credential !== null)
    for (const place of placesOf(credential)) {
      for (const value of [undefined, null, 1, 'x', [], {}, true]) {
        const changed = withValue(credential, place, value)
        if (JSON.stringify(changed) === JSON.stringify(credential)) continue
        const verdict = await bothSay(changed, `${place} as ${shown(value)}`)
        assert.ok(!verdict.ok, `${place} as ${shown(value)}`)
      }
    }
    assert.equal(await verdictOf({ ...credential, more: 1 }), 'CLAIM_DIFFERS at more')
  }
  const { issuer } = sealCredential(asker, good, startMs)
  assert.equal(
    await verdictOf({ ...sealCredential(worker, good, startMs), issuer }),
    'CLAIM_DIFFERS at credentialSubject.id',
  )
  assert.ok(stranger.signer.peer !== asker.signer.peer)
})
