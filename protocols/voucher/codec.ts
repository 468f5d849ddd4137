/** Voucher messages from and to bytes. All validation of a single message is here. */
import { create, toBinary } from '@bufbuild/protobuf'

import type { Notary } from '../negotiate/codec.ts'
import {
  Fault,
  checkedHash,
  checkedInteger,
  checkedText,
  decodeRefusal,
  encodeRefusal,
  openEnvelope,
  parseMessage,
  publicKeyOf,
  required,
  sealEnvelope,
  type Signed,
} from '../wire/index.ts'
import { bytesOfAddress, checkedAddress } from './address.ts'
import {
  keyType,
  nameCharsMax,
  termsType,
  type Terms,
  type Voucher,
  type VoucherKey,
  type Vouching,
} from './messages.ts'
import { signatureBytes, signerOfVoucher } from './sign.ts'
import { KeySchema, TermsSchema, VouchingSchema, type Voucher as WireVoucher } from './wire_pb.ts'

export function encodeVouching(message: Vouching): Uint8Array {
  return toBinary(VouchingSchema, create(VouchingSchema, { body: bodyOf(message) }))
}

function bodyOf(message: Vouching) {
  switch (message.say) {
    case 'ask':
      return { case: 'ask' as const, value: message.terms.envelope }
    case 'voucher':
      return {
        case: 'voucher' as const,
        value: { key: message.key.envelope, voucher: encodeVoucher(message.voucher) },
      }
    case 'taken':
      return { case: 'taken' as const, value: { unit: message.unit, sequence: BigInt(message.sequence) } }
    case 'refuse':
      return { case: 'refuse' as const, value: { unit: message.unit, refusal: encodeRefusal(message.refusal) } }
    default:
      return message satisfies never
  }
}

/** Parses, validates and checks every signature. Throws a Fault. */
export function decodeVouching(notary: Notary, bytes: Uint8Array): Vouching {
  const { body } = parseMessage(VouchingSchema, bytes)
  switch (body.case) {
    case 'ask':
      return { say: 'ask', terms: openTerms(notary, body.value) }
    case 'voucher': {
      const key = openKey(notary, body.value.key)
      const voucher = decodeVoucher(required(body.value.voucher, 'voucher'))
      checkVoucher(notary, key, voucher)
      return { say: 'voucher', key, voucher }
    }
    case 'taken':
      return {
        say: 'taken',
        unit: checkedText(body.value.unit, 'unit', nameCharsMax),
        sequence: counted(body.value.sequence, 'sequence'),
      }
    case 'refuse':
      return {
        say: 'refuse',
        unit: checkedText(body.value.unit, 'unit', nameCharsMax),
        refusal: decodeRefusal(body.value.refusal),
      }
    default:
      throw new Fault('FIELD_INVALID', 'a message about vouchers says nothing that this version knows')
  }
}

/** The signature is that of the payer's address, and the payer says that it is its own. Throws a Fault. */
export function checkVoucher({ network }: Pick<Notary, 'network'>, key: Signed<VoucherKey>, voucher: Voucher): void {
  if (voucher.network !== network)
    throw new Fault('NETWORK_FOREIGN', 'a voucher of another network', { expected: network, given: voucher.network })
  const signer = signerOfVoucher(voucher)
  if (signer !== voucher.payer) throw new Fault('SIGNATURE_INVALID', 'the signature of the voucher does not fit')
  if (signer !== key.body.address)
    throw new Fault('SIGNER_UNEXPECTED', 'the voucher is signed by another address', { signer, key: key.body.address })
}

export function sealTerms({ signer, network }: Notary, terms: Terms): Signed<Terms> {
  const payload = toBinary(
    TermsSchema,
    create(TermsSchema, {
      payer: terms.payer,
      unit: terms.unit,
      payee: bytesOfAddress(terms.payee),
      chainId: BigInt(terms.chainId),
      contract: bytesOfAddress(terms.contract),
      issuedMs: BigInt(terms.issuedMs),
    }),
  )
  return { by: signer.peer, body: terms, envelope: sealEnvelope(signer, network, termsType, payload) }
}

export function openTerms({ signer, network }: Notary, envelope: Uint8Array): Signed<Terms> {
  const { by, body } = openEnvelope(signer, network, termsType, envelope)
  const wire = parseMessage(TermsSchema, body)
  publicKeyOf(wire.payer)
  const terms: Terms = {
    payer: wire.payer,
    unit: checkedText(wire.unit, 'unit', nameCharsMax),
    payee: checkedAddress(wire.payee, 'payee'),
    chainId: checkedInteger(wire.chainId, 'chain_id'),
    contract: checkedAddress(wire.contract, 'contract'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
  return { by, envelope, body: terms }
}

export function sealKey({ signer, network }: Notary, key: VoucherKey): Signed<VoucherKey> {
  const payload = toBinary(
    KeySchema,
    create(KeySchema, { address: bytesOfAddress(key.address), issuedMs: BigInt(key.issuedMs) }),
  )
  return { by: signer.peer, body: key, envelope: sealEnvelope(signer, network, keyType, payload) }
}

export function openKey({ signer, network }: Notary, envelope: Uint8Array): Signed<VoucherKey> {
  const { by, body } = openEnvelope(signer, network, keyType, envelope)
  const wire = parseMessage(KeySchema, body)
  const key: VoucherKey = {
    address: checkedAddress(wire.address, 'address'),
    issuedMs: checkedInteger(wire.issuedMs, 'issued_ms'),
  }
  return { by, envelope, body: key }
}

function encodeVoucher(voucher: Voucher) {
  return {
    payer: bytesOfAddress(voucher.payer),
    payee: bytesOfAddress(voucher.payee),
    network: voucher.network,
    unit: voucher.unit,
    cumulativeMicro: BigInt(voucher.cumulativeMicro),
    sequence: BigInt(voucher.sequence),
    expiresAtS: BigInt(voucher.expiresAtS),
    statement: voucher.statement,
    chainId: BigInt(voucher.chainId),
    contract: bytesOfAddress(voucher.contract),
    signature: voucher.signature,
  }
}

function decodeVoucher(wire: WireVoucher): Voucher {
  if (wire.signature.byteLength !== signatureBytes)
    throw new Fault('FIELD_INVALID', 'the signature has another length', { bytes: wire.signature.byteLength })
  return {
    payer: checkedAddress(wire.payer, 'payer'),
    payee: checkedAddress(wire.payee, 'payee'),
    network: checkedText(wire.network, 'network', nameCharsMax),
    unit: checkedText(wire.unit, 'unit', nameCharsMax),
    cumulativeMicro: counted(wire.cumulativeMicro, 'cumulative_micro'),
    sequence: counted(wire.sequence, 'sequence'),
    expiresAtS: checkedInteger(wire.expiresAtS, 'expires_at_s'),
    statement: checkedHash(wire.statement, 'statement'),
    chainId: checkedInteger(wire.chainId, 'chain_id'),
    contract: checkedAddress(wire.contract, 'contract'),
    signature: wire.signature,
  }
}

function counted(value: bigint, field: string): number {
  const count = checkedInteger(value, field)
  if (count === 0) throw new Fault('FIELD_INVALID', `${field} is nothing`, { field })
  return count
}
