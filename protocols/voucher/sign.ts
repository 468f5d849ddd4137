/** The signature of a voucher: secp256k1 over its typed data, as external systems check it. */
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { concat } from 'uint8arrays'

import { addressBytes, bytesOfAddress, textOfAddress, type Address } from './address.ts'
import type { Promised, Voucher } from './messages.ts'
import { digestOfTypedData, type TypedData, type TypedField } from './typed-data.ts'

export const signatureBytes = 65
const compactBytes = 64
/** v of a signature whose point has an even y; 28 of an odd one. */
const evenV = 27

export const domainName = 'pleach voucher'
export const domainVersion = '1'

export const domainFields: readonly TypedField[] = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
]

export const voucherFields: readonly TypedField[] = [
  { name: 'payer', type: 'address' },
  { name: 'payee', type: 'address' },
  { name: 'network', type: 'string' },
  { name: 'unit', type: 'string' },
  { name: 'cumulativeMicro', type: 'uint256' },
  { name: 'sequence', type: 'uint256' },
  { name: 'expiresAt', type: 'uint256' },
  { name: 'statement', type: 'bytes32' },
]

/** Who signs vouchers: an address, and its key behind it. */
export interface Purse {
  readonly address: Address
  /** r, s and v of a digest of 32 bytes. The same digest is always signed alike (RFC 6979). */
  sign(digest: Uint8Array): Uint8Array
}

export function typedDataOf(promised: Promised): TypedData {
  const { payer, payee, network, unit, cumulativeMicro, sequence, expiresAtS, statement, chainId, contract } = promised
  return {
    structs: { Voucher: voucherFields },
    primary: 'Voucher',
    message: {
      payer: bytesOfAddress(payer),
      payee: bytesOfAddress(payee),
      network,
      unit,
      cumulativeMicro: BigInt(cumulativeMicro),
      sequence: BigInt(sequence),
      expiresAt: BigInt(expiresAtS),
      statement,
    },
    domainFields,
    domain: {
      name: domainName,
      version: domainVersion,
      chainId: BigInt(chainId),
      verifyingContract: bytesOfAddress(contract),
    },
  }
}

export function digestOfVoucher(promised: Promised): Uint8Array {
  return digestOfTypedData(typedDataOf(promised))
}

export function signVoucher(purse: Purse, promised: Promised): Voucher {
  return { ...promised, signature: purse.sign(digestOfVoucher(promised)) }
}

/** `secretKey`: 32 bytes. */
export function purseOf(secretKey: Uint8Array): Purse {
  return {
    address: addressOfKey(secp256k1.getPublicKey(secretKey, false)),
    sign(digest) {
      const signed = secp256k1.sign(digest, secretKey, { prehash: false, format: 'recovered' })
      return concat([signed.subarray(1), Uint8Array.of(evenV + signed[0]!)])
    },
  }
}

/** Who signed; undefined when nobody can have. Of two signatures that say the same (s and n − s) only the lower is one (EIP-2). */
export function signerOfVoucher({ signature, ...promised }: Voucher): Address | undefined {
  const v = signature[compactBytes]!
  if (signature.byteLength !== signatureBytes || (v !== evenV && v !== evenV + 1)) return undefined
  try {
    const compact = signature.subarray(0, compactBytes)
    if (secp256k1.Signature.fromBytes(compact, 'compact').hasHighS()) return undefined
    const recovered = concat([Uint8Array.of(v - evenV), compact])
    const key = secp256k1.recoverPublicKey(recovered, digestOfVoucher(promised), { prehash: false })
    return addressOfKey(secp256k1.Point.fromBytes(key).toBytes(false))
  } catch {
    return undefined
  }
}

/** Of a key as a point without compression: its first byte says that it is one. */
function addressOfKey(key: Uint8Array): Address {
  return textOfAddress(keccak_256(key.subarray(1)).subarray(-addressBytes))
}
