/** The verifiable form: its proof is the one of the W3C's suite, and its claims are what the two parties signed. */
import assert from 'node:assert/strict'
import { createPrivateKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { base58btc } from 'multiformats/bases/base58'
import { concat, fromString, toString } from 'uint8arrays'

import { canonicalJson } from '../../protocols/receipt/canonical-json.ts'
import { didOf, hashData, isProofOf, sealCredential, type Credential } from '../../protocols/receipt/credential.ts'
import { FileError } from '../../protocols/receipt/form.ts'
import { verifyReceiptFile } from '../../protocols/receipt/verify.ts'
import { peerNameOf, publicKeyOf, sha256 } from '../../protocols/wire/index.ts'
import { canonicalJson as canonicalElsewhere } from '../../verify/json.ts'
import { isProofOf as isProofElsewhere } from '../../verify/credential.ts'
import { didOf as didElsewhere, keyOfMultikey } from '../../verify/keys.ts'
import { asker, isFault, provider, requester, startMs, stranger, worker } from '../negotiate/parties.ts'
import { Account } from './accounts.ts'

const account = new Account().pays(1_000).ends(3_000)
const file = account.file()

interface Vector {
  readonly publicKeyMultibase: string
  readonly privateKeyMultibase: string
  readonly canonicalDocument: string
  readonly documentHash: string
  readonly canonicalProofOptions: string
  readonly proofOptionsHash: string
  readonly signature: string
  readonly signed: Credential & { readonly proof: Credential }
}
const vector = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'vectors', 'eddsa-jcs-2022.json'), 'utf8'),
) as Vector

describe("the W3C's vector of eddsa-jcs-2022", () => {
  const { proof, ...unsecured } = vector.signed
  const { proofValue, ...options } = proof
  const publicKey = base58btc.decode(vector.publicKeyMultibase).subarray(2)

  test('both write the same canonical form, and hash it as the vector does', () => {
    for (const write of [canonicalJson, canonicalElsewhere]) {
      assert.equal(write(unsecured), vector.canonicalDocument)
      assert.equal(write(options), vector.canonicalProofOptions)
    }
    assert.equal(toString(sha256(fromString(vector.canonicalDocument)), 'hex'), vector.documentHash)
    assert.equal(toString(hashData(options, unsecured), 'hex'), vector.proofOptionsHash + vector.documentHash)
  })

  test('its key signs the same proof here', () => {
    const seed = base58btc.decode(vector.privateKeyMultibase).subarray(2)
    const pkcs8 = concat([fromString('302e020100300506032b657004220420', 'hex'), seed])
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: 'der', type: 'pkcs8' })
    const signature = sign(null, hashData(options, unsecured), key)
    assert.equal(toString(signature, 'hex'), vector.signature)
    assert.equal(base58btc.encode(signature), proofValue)
  })

  test('both verify it, and nothing that is a character apart', async () => {
    assert.ok(isProofOf(publicKey, unsecured, proof))
    assert.ok(await isProofElsewhere(publicKey, unsecured, proof))
    const wrong: [Credential, Credential][] = [
      [{ ...unsecured, name: 'Alumni credential' }, proof],
      [unsecured, { ...proof, created: '2023-02-24T23:36:39Z' }],
      [unsecured, { ...proof, proofValue: vector.publicKeyMultibase }],
      [unsecured, { ...proof, proofValue: (proofValue as string).replace(/.$/, 'W') }],
      [unsecured, { ...proof, proofValue: (proofValue as string).slice(1) }],
      [unsecured, options],
    ]
    for (const [document, bad] of wrong) {
      assert.ok(!isProofOf(publicKey, document, bad))
      assert.ok(!(await isProofElsewhere(publicKey, document, bad)))
    }
  })

  test('its key has the DID that it names', () => {
    const peer = peerNameOf(publicKey)
    assert.equal(didOf(peer), `did:key:${vector.publicKeyMultibase}`)
    assert.equal(didElsewhere(peer), didOf(peer))
    assert.deepEqual(keyOfMultikey(vector.publicKeyMultibase), publicKeyOf(peer))
    assert.equal(keyOfMultikey(vector.privateKeyMultibase), undefined)
  })
})

test('keys are in the order of RFC 8785, and what JSON has no word for has no form', () => {
  // The example of section 3.2.3.
  const example = {
    '\u20ac': 'Euro Sign',
    '\r': 'Carriage Return',
    '\ufb33': 'Hebrew Letter Dalet With Dagesh',
    '1': 'One',
    '\ud83d\ude00': 'Emoji: Grinning Face',
    '\u0080': 'Control',
    '\u00f6': 'Latin Small Letter O With Diaeresis',
  }
  for (const write of [canonicalJson, canonicalElsewhere] as ((value: never) => string)[]) {
    const values = Object.values(JSON.parse(write(example as never)) as object) as string[]
    // JSON.parse puts the key that is a number first.
    assert.deepEqual(
      values.map((name) => name.split(' ')[0]),
      ['One', 'Carriage', 'Control', 'Latin', 'Euro', 'Emoji:', 'Hebrew'],
    )
    assert.equal(
      write([1e21, Number('333333333.33333329'), -0, 'a\u000f\n"\\', null, true] as never),
      '[1e+21,333333333.3333333,0,"a\\u000f\\n\\"\\\\",null,true]',
    )
    for (const bad of [NaN, Infinity, '\ud800', { '\udc00': 1 }]) assert.throws(() => write(bad as never), TypeError)
  }
})

test('either party exports it, of the other, and says what the file says', () => {
  const verdict = verifyReceiptFile(file)
  assert.ok(verdict.ok)
  const { ok: _, kind, credential: none, ...said } = verdict
  assert.deepEqual([kind, none], ['pleach-receipts', null])
  for (const [notary, other] of [
    [worker, requester],
    [asker, provider],
  ] as const) {
    const credential = sealCredential(notary, file, startMs + 60_000) as unknown as Record<
      string,
      Record<string, unknown>
    >
    const self = notary.signer.peer
    assert.equal(credential['issuer'], didOf(self))
    assert.equal(credential['validFrom'], new Date(startMs + 3_000).toISOString())
    assert.deepEqual(credential['credentialSubject'], {
      ...said,
      id: didOf(other),
      provider: didOf(provider),
      requester: didOf(requester),
    })
    assert.deepEqual(credential['evidence'], [{ type: 'PleachReceiptFile', file }])
    const { proofValue, ...options } = credential['proof']!
    assert.match(proofValue as string, /^z[1-9A-HJ-NP-Za-km-z]{80,90}$/)
    assert.deepEqual(options, {
      '@context': credential['@context'],
      type: 'DataIntegrityProof',
      cryptosuite: 'eddsa-jcs-2022',
      created: new Date(startMs + 60_000).toISOString(),
      verificationMethod: `${didOf(self)}#${didOf(self).slice('did:key:'.length)}`,
      proofPurpose: 'assertionMethod',
    })
    const verdict = verifyReceiptFile(JSON.stringify(credential))
    assert.ok(verdict.ok)
    assert.deepEqual(verdict.credential, { issuer: didOf(self), created: options['created'] })
  }
})

test('nobody else can export it, and nothing is exported that does not hold or has not begun', () => {
  assert.throws(() => sealCredential(stranger, file, startMs), isFault('SIGNER_UNEXPECTED'))
  assert.throws(
    () => sealCredential(worker, { ...file, receipts: [], result: null }, startMs),
    (error) => error instanceof FileError && error.code === 'NO_RECEIPT',
  )
  assert.throws(() => sealCredential(worker, { ...file, network: 'elsewhere' }, startMs), isFault('NETWORK_FOREIGN'))
})

test('a liar who signs other claims over the true file is found by the claim', () => {
  const { proof: _, ...claims } = sealCredential(worker, file, startMs)
  const subject = claims['credentialSubject'] as Credential
  const lies: [string, Credential][] = [
    ['credentialSubject.payable', { ...claims, credentialSubject: { ...subject, payable: '1000' } }],
    [
      'credentialSubject.usage.wallMs',
      { ...claims, credentialSubject: { ...subject, usage: { ...(subject['usage'] as Credential), wallMs: 1 } } },
    ],
    ['credentialSubject.degree', { ...claims, credentialSubject: { ...subject, degree: 'Doctor' } }],
    ['validFrom', { ...claims, validFrom: '2020-01-01T00:00:00.000Z' }],
    ['name', { ...claims, name: 'Best provider' }],
    ['@context.2', { ...claims, '@context': [...(claims['@context'] as Credential[]), { payable: 'urn:x' }] as never }],
  ]
  for (const [at, lie] of lies) {
    const method = didOf(provider).slice('did:key:'.length)
    const options = {
      '@context': lie['@context']!,
      type: 'DataIntegrityProof',
      cryptosuite: 'eddsa-jcs-2022',
      created: '2026-01-01T00:00:00Z',
      verificationMethod: `did:key:${method}#${method}`,
      proofPurpose: 'assertionMethod',
    }
    const proofValue = base58btc.encode(worker.signer.sign(hashData(options, lie)))
    assert.ok(isProofOf(publicKeyOf(provider), lie, { ...options, proofValue }))
    const verdict = verifyReceiptFile({ ...lie, proof: { ...options, proofValue } })
    assert.deepEqual(verdict.ok ? 'ok' : [verdict.code, verdict.at], ['CLAIM_DIFFERS', at])
  }
})
