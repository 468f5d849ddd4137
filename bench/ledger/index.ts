/** What this peer must not forget: how many receipts a second it can keep, and how soon it knows them again. */
import type { Bench } from '../bench.ts'
import { opening } from './opening.ts'
import { receipts } from './receipts.ts'

export const ledger: Bench = {
  name: 'ledger',
  about: 'signed, durable receipts a second beside an append log; opening a long ledger',
  parts: [receipts, opening],
}
