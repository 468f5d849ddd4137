/** Vouchers: messages, and their signatures as external systems check them. */
import {
  checksummed,
  encodeVouching,
  purseOf,
  sealKey,
  sealTerms,
  signVoucher,
  type Promised,
  type Voucher,
  type Vouching,
} from '../../../protocols/voucher/index.ts'
import { sha256 } from '../../../protocols/wire/index.ts'
import { startMs } from '../../negotiate/parties.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, stranger, worker } from './kinds.ts'

/** The secret of an address is the SHA-256 of one byte, as that of a peer. */
const [purse, other] = [purseOf(sha256(Uint8Array.of(1))), purseOf(sha256(Uint8Array.of(2)))]
const redeemer = {
  payee: checksummed('0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'),
  chainId: 1,
  contract: checksummed('0xcccccccccccccccccccccccccccccccccccccccc'),
}
const body: Promised = {
  ...redeemer,
  payer: purse.address,
  network,
  unit: 'credit',
  cumulativeMicro: 1_234_567,
  sequence: 2,
  expiresAtS: startMs / 1_000 + 31_536_000,
  statement: sha256(Uint8Array.of(3)),
}
const voucher = signVoucher(purse, body)
const key = sealKey(asker, { address: purse.address, issuedMs: startMs })
const terms = sealTerms(worker, { ...redeemer, payer: asker.signer.peer, unit: 'credit', issuedMs: startMs })
const gives = (one: Voucher = voucher, by = key): Uint8Array =>
  encodeVouching({ say: 'voucher', key: by, voucher: one })
const says = (message: Vouching): Uint8Array => encodeVouching(message)
const no = (name: string, fault: string, bytes: Uint8Array) => bad('vouching', name, fault, bytes)

const vouchers: VectorFile = {
  what: 'Messages of /pleach/voucher/1 (protocols/voucher/README.md). The signature of a voucher is over its typed data (EIP-712).',
  cases: [
    good('vouching', 'ASK', says({ say: 'ask', terms })),
    good('vouching', 'VOUCHER', gives()),
    good(
      'vouching',
      'VOUCHER of the largest amount',
      gives(
        signVoucher(purse, { ...body, cumulativeMicro: Number.MAX_SAFE_INTEGER, sequence: Number.MAX_SAFE_INTEGER }),
      ),
    ),
    good(
      'vouching',
      'VOUCHER that no contract in particular redeems',
      gives(signVoucher(purse, { ...body, chainId: 0, contract: `0x${'0'.repeat(40)}` })),
    ),
    good('vouching', 'TAKEN', says({ say: 'taken', unit: 'credit', sequence: 2 })),
    good(
      'vouching',
      'REFUSE',
      says({ say: 'refuse', unit: 'credit', refusal: { code: 'VOUCHER_ABOVE_OWED', facts: { owedMicro: 5 } } }),
    ),
    no('nothing said', 'FIELD_INVALID', new Uint8Array()),
    no('another amount than was signed', 'SIGNATURE_INVALID', gives({ ...voucher, cumulativeMicro: 1_234_568 })),
    no('another payee than was signed', 'SIGNATURE_INVALID', gives({ ...voucher, payee: redeemer.contract })),
    no('another chain than was signed', 'SIGNATURE_INVALID', gives({ ...voucher, chainId: 2 })),
    no('signed by another address than the payer', 'SIGNATURE_INVALID', gives({ ...voucher, payer: other.address })),
    no(
      'signed by an address that the peer did not name',
      'SIGNER_UNEXPECTED',
      gives(signVoucher(other, { ...body, payer: other.address })),
    ),
    no(
      'a key that another network was told of',
      'NETWORK_FOREIGN',
      gives(voucher, sealKey({ ...stranger, network: 'elsewhere' }, { address: purse.address, issuedMs: startMs })),
    ),
    no('of another network', 'NETWORK_FOREIGN', gives(signVoucher(purse, { ...body, network: 'elsewhere' }))),
    no('for nothing', 'FIELD_INVALID', gives(signVoucher(purse, { ...body, cumulativeMicro: 0 }))),
    no('without a number', 'FIELD_INVALID', gives(signVoucher(purse, { ...body, sequence: 0 }))),
    no('a signature cut short', 'FIELD_INVALID', gives({ ...voucher, signature: voucher.signature.subarray(0, 64) })),
    no(
      'a signature with v of no curve',
      'SIGNATURE_INVALID',
      gives({ ...voucher, signature: voucher.signature.with(64, 29) }),
    ),
    no('TAKEN of nothing', 'FIELD_INVALID', says({ say: 'taken', unit: 'credit', sequence: 0 })),
    no('not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x0a, 0xff)),
  ],
}

export const voucherVectors = { vouchers }
