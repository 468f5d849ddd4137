// Typed data and signatures against the example of EIP-712 itself, and against another program's implementation.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { concat, fromString, toString } from 'uint8arrays'
import { getAddress, recoverTypedDataAddress } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'

import {
  checksummed,
  digestOfTypedData,
  digestOfVoucher,
  encodeType,
  hashOfStruct,
  purseOf,
  signerOfVoucher,
  signVoucher,
  voucherFields,
  domainFields,
  domainName,
  domainVersion,
  type Promised,
} from '../../protocols/voucher/index.ts'
import { promised, purse } from './parties.ts'

const hexOf = (bytes: Uint8Array): `0x${string}` => `0x${toString(bytes, 'hex')}`
const bytesOf = (text: string): Uint8Array => fromString(text.slice(2).toLowerCase(), 'hex')

// https://eips.ethereum.org/assets/eip-712/Example.js: "Ether Mail", signed with the key keccak256("cow").
const structs = {
  Person: [
    { name: 'name', type: 'string' },
    { name: 'wallet', type: 'address' },
  ],
  Mail: [
    { name: 'from', type: 'Person' },
    { name: 'to', type: 'Person' },
    { name: 'contents', type: 'string' },
  ],
}
const mail = {
  from: { name: 'Cow', wallet: bytesOf('0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826') },
  to: { name: 'Bob', wallet: bytesOf('0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB') },
  contents: 'Hello, Bob!',
}
const etherMail = {
  structs,
  primary: 'Mail',
  message: mail,
  domainFields,
  domain: {
    name: 'Ether Mail',
    version: '1',
    chainId: 1n,
    verifyingContract: bytesOf('0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC'),
  },
}

test('the example of EIP-712: type, hashes, digest and signature', () => {
  assert.equal(
    encodeType(structs, 'Mail'),
    'Mail(Person from,Person to,string contents)Person(string name,address wallet)',
  )
  assert.equal(
    hexOf(hashOfStruct(structs, 'Mail', mail)),
    '0xc52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e',
  )
  assert.equal(
    hexOf(hashOfStruct({ EIP712Domain: domainFields }, 'EIP712Domain', etherMail.domain)),
    '0xf2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f',
  )
  const digest = digestOfTypedData(etherMail)
  assert.equal(hexOf(digest), '0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2')
  const cow = purseOf(keccak_256(fromString('cow')))
  assert.equal(cow.address, '0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826')
  assert.equal(
    hexOf(cow.sign(digest)),
    '0x4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c',
  )
})

/** As viem takes it. */
const typedDataFor = ({ chainId, contract, ...voucher }: Promised) => ({
  domain: { name: domainName, version: domainVersion, chainId, verifyingContract: contract as `0x${string}` },
  types: { Voucher: [...voucherFields] },
  primaryType: 'Voucher' as const,
  message: {
    payer: voucher.payer as `0x${string}`,
    payee: voucher.payee as `0x${string}`,
    network: voucher.network,
    unit: voucher.unit,
    cumulativeMicro: BigInt(voucher.cumulativeMicro),
    sequence: BigInt(voucher.sequence),
    expiresAt: BigInt(voucher.expiresAtS),
    statement: hexOf(voucher.statement),
  },
})

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const address = bytes(20).map((one) => checksummed(hexOf(one)))
const amount = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const any = fc.record({
  payee: address,
  contract: address,
  chainId: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  network: fc.string({ maxLength: 20, unit: 'grapheme' }),
  unit: fc.string({ maxLength: 20, unit: 'grapheme' }),
  cumulativeMicro: amount,
  sequence: amount,
  expiresAtS: amount,
  statement: bytes(32),
})

test('another implementation (viem) recovers the signer of our vouchers, and we the signer of its: any fields, any key', async () => {
  await fc.assert(
    fc.asyncProperty(any, bytes(32), async (fields, secret) => {
      if (secret.every((byte) => byte === 0) || secret[0] === 255) return
      const [own, theirs] = [purseOf(secret), privateKeyToAccount(hexOf(secret))]
      assert.equal(own.address, theirs.address)
      const body: Promised = { ...fields, payer: own.address }
      const voucher = signVoucher(own, body)
      const signature = hexOf(voucher.signature)
      assert.equal(await recoverTypedDataAddress({ ...typedDataFor(body), signature }), own.address)
      const signed = await theirs.signTypedData(typedDataFor(body))
      assert.equal(signed, signature, 'RFC 6979: the same bytes')
      assert.equal(signerOfVoucher({ ...body, signature: bytesOf(signed) }), own.address)
    }),
    { numRuns: 40 },
  )
})

test('checksums of addresses are those of another implementation', () => {
  fc.assert(fc.property(bytes(20), (one) => assert.equal(checksummed(hexOf(one)), getAddress(hexOf(one)))))
})

test('a signature with one bit changed, another v, or the higher s is nobody’s or somebody else’s', () => {
  const voucher = signVoucher(purse, { ...promised, payer: purse.address })
  assert.equal(signerOfVoucher(voucher), purse.address)
  for (let bit = 0; bit < 64 * 8; bit += 7) {
    const signature = voucher.signature.slice()
    signature[bit >>> 3]! ^= 1 << (bit & 7)
    assert.notEqual(signerOfVoucher({ ...voucher, signature }), purse.address)
  }
  for (const v of [0, 1, 26, 29, 255]) {
    const signature = concat([voucher.signature.subarray(0, 64), Uint8Array.of(v)])
    assert.equal(signerOfVoucher({ ...voucher, signature }), undefined)
  }
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const s = BigInt(hexOf(voucher.signature.subarray(32, 64)))
  const high = fromString((order - s).toString(16).padStart(64, '0'), 'hex')
  const turned = concat([voucher.signature.subarray(0, 32), high, Uint8Array.of(55 - voucher.signature[64]!)])
  assert.equal(signerOfVoucher({ ...voucher, signature: turned }), undefined)
  assert.equal(signerOfVoucher({ ...voucher, signature: voucher.signature.subarray(0, 64) }), undefined)
})

test('every field is under the signature', () => {
  const digest = hexOf(digestOfVoucher(promised))
  const others: Partial<Promised>[] = [
    { payer: promised.payee },
    { payee: promised.payer },
    { network: 'another' },
    { unit: 'euro' },
    { cumulativeMicro: promised.cumulativeMicro + 1 },
    { sequence: 2 },
    { expiresAtS: promised.expiresAtS + 1 },
    { statement: new Uint8Array(32) },
    { chainId: 2 },
    { contract: promised.payee },
  ]
  for (const other of others) assert.notEqual(hexOf(digestOfVoucher({ ...promised, ...other })), digest)
})
