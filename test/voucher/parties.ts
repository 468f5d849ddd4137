/** A payer and a payee, with keys of their own, and what they may say to each other. */
import { fromString } from 'uint8arrays'

import {
  checksummed,
  purseOf,
  sealKey,
  sealTerms,
  signVoucher,
  type Promised,
  type Redeemer,
  type Terms,
  type Voucher,
  type Vouching,
} from '../../protocols/voucher/index.ts'
import { sha256, type Signed } from '../../protocols/wire/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { network, notary } from '../support/peers.ts'

export const unit = 'credit'
export const [payer, payee, outsider] = [notary(1), notary(2), notary(3)]
export const purse = purseOf(sha256(fromString('purse')))
export const otherPurse = purseOf(sha256(fromString('another purse')))
export const redeemer: Redeemer = {
  payee: checksummed('0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb'),
  chainId: 1,
  contract: checksummed('0xcccccccccccccccccccccccccccccccccccccccc'),
}
export const statement = sha256(fromString('the last statement'))

export const promised: Promised = {
  ...redeemer,
  payer: purse.address,
  network,
  unit,
  cumulativeMicro: 1_000,
  sequence: 1,
  expiresAtS: startMs / 1_000 + 1_000_000,
  statement,
}

export const voucherOf = (over: Partial<Promised> = {}, by = purse): Voucher =>
  signVoucher(by, { ...promised, payer: by.address, ...over })

export const keyOf = (by = payer, address = purse.address) => sealKey(by, { address, issuedMs: startMs })

const made = new Map<string, Vouching>()

/** Signing takes a millisecond, and a walk through a machine says the same again and again. */
export function given(over: Partial<Promised> = {}, by = purse, peer = payer): Vouching {
  const name = JSON.stringify([over, by.address, peer.signer.peer])
  const known = made.get(name)
  if (known !== undefined) return known
  const message: Vouching = { say: 'voucher', key: keyOf(peer, by.address), voucher: voucherOf(over, by) }
  made.set(name, message)
  return message
}

export const termsOf = (over: Partial<Terms> = {}, by = payee): Signed<Terms> =>
  sealTerms(by, { ...redeemer, payer: payer.signer.peer, unit, issuedMs: startMs, ...over })

export const asked = (over: Partial<Terms> = {}, by = payee): Vouching => ({ say: 'ask', terms: termsOf(over, by) })
