import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { privateKeyFromProtobuf } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'

import { peerNameOf } from '../../protocols/wire/index.ts'
import { realRandom } from '../../src/environment.ts'
import { HostError, createSigner, identityFromSeed, openIdentity, petnameOf } from '../../src/host/index.ts'
import { growing, woven } from '../../src/host/petname-words.ts'
import { bytes, seedOf } from './network.ts'

const place = mkdtempSync(join(tmpdir(), 'pleach-key-'))
after(() => rmSync(place, { recursive: true, force: true }))

const refusedWith = (code: HostError['code'], cure: RegExp) => (error: unknown) =>
  error instanceof HostError && error.code === code && cure.test(error.cure)

describe('the key file', () => {
  test('is made once, private, whole, and opened again as the same peer', async () => {
    const path = join(place, 'fresh', 'deep', 'key')
    const made = await openIdentity(path, realRandom)
    assert.equal(made.fresh, true)
    assert.equal(statSync(path).mode & 0o777, 0o600)
    assert.equal(statSync(join(place, 'fresh', 'deep')).mode & 0o777, 0o700)
    assert.deepEqual(readdirSync(join(place, 'fresh', 'deep')), ['key'], 'no temporary file is left')
    const opened = await openIdentity(path, realRandom)
    assert.equal(opened.fresh, false)
    assert.equal(opened.peer, made.peer)
    assert.equal(peerIdFromPrivateKey(privateKeyFromProtobuf(readFileSync(path))).toString(), made.peer)
  })

  test('that two processes make at once is one', async () => {
    const path = join(place, 'race', 'key')
    const identities = await Promise.all(Array.from({ length: 8 }, async () => openIdentity(path, realRandom)))
    assert.equal(new Set(identities.map(({ peer }) => peer)).size, 1)
    assert.equal(identities.filter(({ fresh }) => fresh).length, 1)
    assert.deepEqual(readdirSync(join(place, 'race')), ['key'])
  })

  for (const mode of [0o640, 0o604, 0o660, 0o622]) {
    test(`of mode ${mode.toString(8)} is refused, with the cure`, async () => {
      const path = join(place, `exposed-${mode}`)
      await openIdentity(path, realRandom)
      chmodSync(path, mode)
      await assert.rejects(
        openIdentity(path, realRandom),
        refusedWith('KEY_EXPOSED', new RegExp(`^chmod 600 ${path}$`)),
      )
      chmodSync(path, 0o600)
      await openIdentity(path, realRandom)
    })
  }

  test('that is damaged is refused and not touched', async () => {
    const path = join(place, 'damaged')
    await openIdentity(path, realRandom)
    const whole = readFileSync(path)
    const flipped = (at: number): Uint8Array => whole.map((byte, index) => (index === at ? byte ^ 1 : byte))
    const longer = Buffer.concat([whole, Uint8Array.of(0)])
    for (const damaged of [new Uint8Array(), whole.subarray(0, 67), longer, flipped(0), flipped(10), flipped(60)]) {
      writeFileSync(path, damaged)
      await assert.rejects(openIdentity(path, realRandom), refusedWith('KEY_DAMAGED', /backup/))
      assert.deepEqual(readFileSync(path), Buffer.from(damaged))
    }
  })

  test('that cannot be there is told as such', async () => {
    const file = join(place, 'a-file')
    writeFileSync(file, '')
    await assert.rejects(openIdentity(join(file, 'key'), realRandom), refusedWith('KEY_UNUSABLE', /data folder/))
  })
})

describe('the signer', () => {
  test('signs as RFC 8032 says', () => {
    // RFC 8032, 7.1, test 3.
    const signer = createSigner(Buffer.from('c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7', 'hex'))
    assert.equal(
      Buffer.from(signer.publicKey).toString('hex'),
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    )
    assert.equal(
      Buffer.from(signer.sign(Uint8Array.of(0xaf, 0x82))).toString('hex'),
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    )
  })

  test('is the peer that libp2p says, and agrees with libp2p’s own signatures', async () => {
    const { peer, signer, privateKey } = identityFromSeed(seedOf(3))
    assert.equal(peer, peerIdFromPrivateKey(privateKey).toString())
    assert.equal(peer, peerNameOf(signer.publicKey))
    assert.deepEqual(Buffer.from(signer.sign(bytes('a'))), await privateKey.sign(bytes('a')))
  })

  test('verifies what is right, and nothing else', () => {
    const one = createSigner(seedOf(1))
    const two = createSigner(seedOf(2))
    const signature = two.sign(bytes('a'))
    assert.ok(one.verify(two.publicKey, bytes('a'), signature))
    assert.ok(one.verify(two.publicKey, bytes('a'), signature), 'again, with the key that was kept')
    assert.ok(!one.verify(two.publicKey, bytes('b'), signature))
    assert.ok(!one.verify(one.publicKey, bytes('a'), signature))
    assert.ok(!one.verify(two.publicKey, bytes('a'), signature.subarray(1)))
    assert.ok(!one.verify(two.publicKey.subarray(1), bytes('a'), signature))
    assert.ok(!one.verify(new Uint8Array(32).fill(0xff), bytes('a'), signature))
  })

  test('keeps no more keys than its bound, and is right beyond it', () => {
    const one = createSigner(seedOf(1))
    for (let number = 0; number < 5000; number++) {
      const key = new Uint8Array(32)
      new DataView(key.buffer).setUint32(0, number)
      assert.ok(!one.verify(key, bytes('a'), new Uint8Array(64)))
    }
    assert.ok(one.verify(one.publicKey, bytes('a'), one.sign(bytes('a'))))
  })
})

describe('petnames', () => {
  test('are two words of lists that never change', () => {
    for (const words of [growing, woven]) {
      assert.equal(new Set(words).size, 256)
      for (const word of words) assert.match(word, /^[a-z]{3,10}$/)
    }
    assert.equal(petnameOf(identityFromSeed(seedOf(1)).peer), 'chestnut-loop')
    assert.equal(petnameOf(identityFromSeed(seedOf(2)).peer), 'furze-doublet')
  })
})
