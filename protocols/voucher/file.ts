/**
 * A voucher as a file that programs of others read: `typedData` is what `eth_signTypedData_v4` and its libraries take. Checked with
 * nothing but the file: the signature, and that the peer says that the address is its own.
 */
import { fromString, toString } from 'uint8arrays'
import { z } from 'zod'

import { verifierOf } from '../receipt/verify.ts'
import { Fault, formatMicro, networkPattern, type PeerName, type Signed } from '../wire/index.ts'
import { addressBytes, textOfAddress } from './address.ts'
import { checkVoucher, openKey } from './codec.ts'
import type { Voucher, VoucherKey } from './messages.ts'
import { digestOfVoucher, domainFields, domainName, domainVersion, signatureBytes, voucherFields } from './sign.ts'

const hashBytes = 32
const hex = (bytes: number) => z.string().regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`))
/** In JSON an integer is decimal text: a number would be cut to what a double holds. */
const whole = z.string().regex(/^\d{1,16}$/)
const name = z.string().max(64)
const network = z.string().regex(networkPattern, 'it is no name of a network')

export const voucherFileSchema = z.object({
  v: z.literal(1),
  kind: z.literal('pleach-voucher'),
  network,
  /** Base64 of the envelope in which the payer's peer names its address. */
  key: z.string().max(2_048),
  typedData: z.object({
    domain: z.object({ name, version: name, chainId: whole, verifyingContract: hex(addressBytes) }),
    primaryType: z.literal('Voucher'),
    message: z.object({
      payer: hex(addressBytes),
      payee: hex(addressBytes),
      network,
      unit: name,
      cumulativeMicro: whole,
      sequence: whole,
      expiresAt: whole,
      statement: hex(hashBytes),
    }),
  }),
  signature: hex(signatureBytes),
})

export type VoucherFile = z.infer<typeof voucherFileSchema>

export type VoucherVerdict =
  | {
      readonly ok: true
      readonly peer: PeerName
      readonly payer: string
      readonly payee: string
      readonly network: string
      readonly amount: string
      readonly unit: string
      readonly sequence: number
      readonly expiresMs: number
      readonly digest: string
    }
  | { readonly ok: false; readonly problem: string; readonly at: string }

export function voucherFileOf(network: string, key: Signed<VoucherKey>, voucher: Voucher) {
  const { payer, payee, unit, cumulativeMicro, sequence, expiresAtS, statement, chainId, contract } = voucher
  return {
    v: 1 as const,
    kind: 'pleach-voucher' as const,
    network,
    key: toString(key.envelope, 'base64pad'),
    typedData: {
      types: { EIP712Domain: domainFields, Voucher: voucherFields },
      domain: { name: domainName, version: domainVersion, chainId: String(chainId), verifyingContract: contract },
      primaryType: 'Voucher' as const,
      message: {
        payer,
        payee,
        network: voucher.network,
        unit,
        cumulativeMicro: String(cumulativeMicro),
        sequence: String(sequence),
        expiresAt: String(expiresAtS),
        statement: `0x${toString(statement, 'hex')}`,
      },
    },
    signature: `0x${toString(voucher.signature, 'hex')}`,
  }
}

/** Says nothing of time: whether it has expired is for whoever redeems it to ask. */
export function verifyVoucherFile(parsed: unknown): VoucherVerdict {
  const file = voucherFileSchema.safeParse(parsed)
  if (!file.success) {
    const issue = file.error.issues[0]!
    return { ok: false, problem: issue.message, at: issue.path.map(String).join('.') || 'the file' }
  }
  const { network, typedData } = file.data
  const voucher = voucherIn(file.data)
  if (typedData.domain.name !== domainName || typedData.domain.version !== domainVersion)
    return { ok: false, problem: 'the domain is not that of vouchers of pleach', at: 'typedData.domain' }
  try {
    const key = openKey(verifierOf(network), fromString(file.data.key, 'base64pad'))
    checkVoucher({ network }, key, voucher)
    return {
      ok: true,
      peer: key.by,
      payer: voucher.payer,
      payee: voucher.payee,
      network,
      amount: formatMicro(voucher.cumulativeMicro),
      unit: voucher.unit,
      sequence: voucher.sequence,
      expiresMs: voucher.expiresAtS * 1_000,
      digest: `0x${toString(digestOfVoucher(voucher), 'hex')}`,
    }
  } catch (error) {
    if (error instanceof Fault) return { ok: false, problem: error.message, at: 'signature' }
    throw error
  }
}

function voucherIn({ typedData: { domain, message }, signature }: VoucherFile): Voucher {
  return {
    payer: addressOf(message.payer),
    payee: addressOf(message.payee),
    network: message.network,
    unit: message.unit,
    cumulativeMicro: Number(message.cumulativeMicro),
    sequence: Number(message.sequence),
    expiresAtS: Number(message.expiresAt),
    statement: bytesOf(message.statement),
    chainId: Number(domain.chainId),
    contract: addressOf(domain.verifyingContract),
    signature: bytesOf(signature),
  }
}

function bytesOf(text: string): Uint8Array {
  return fromString(text.slice(2).toLowerCase(), 'hex')
}

function addressOf(text: string): string {
  return textOfAddress(bytesOf(text))
}
