/** Codes of what is owed: credit, settling, vouchers. */
import type { Row } from './codes.ts'

export const moneyCodes: Readonly<Record<string, Row>> = {
  CREDIT_FULL: [
    'we owe the provider as much as it lets us, or would',
    'what is worked, not signed for or not settled counts; a stranger may owe little, and more with what it has honoured',
    'pleach settle   at either side; or wait for it: --wait 30m',
  ],
  BOND_TOO_LOW: [
    'the bond that the provider puts behind its work is below what is wanted',
    'a bond is owed when two signatures of a provider are shown that exclude each other; who does not say offers none',
    'ask for less: --min-bond; at the provider: pleach up --bond',
  ],
  SETTLEMENT_OFF: [
    'this peer does not settle',
    'it was started with --settlement none: each receipt stands for itself',
    'pleach up --settlement ledger',
  ],
  NOTHING_OWED: [
    'there is nothing to promise',
    'by the statements that both have signed, the other side owes nothing',
    'pleach settle; pleach statements',
  ],
  VOUCHER_TERMS_CHANGED: [
    'vouchers are made out to another address or contract already',
    'at two of them the same promise would be redeemed twice',
    'go back to the address before: pleach up --reward-address',
  ],
  VOUCHER_KEY_CHANGED: [
    'the vouchers of a peer were signed by another address before',
    'it lost its voucher key, or uses another: the old promises would not be known to be in the new ones',
    'restore the voucher key of that peer',
  ],
  VOUCHER_EXPIRED: [
    'a voucher cannot be redeemed any more',
    'its time is over, or one of two clocks is wrong',
    'timedatectl',
  ],
  VOUCHER_ABOVE_OWED: [
    'a voucher promises more than our statements say',
    'the other side is a statement ahead of us; it is asked again',
    'pleach settle',
  ],
  VOUCHER_KEY_EXPOSED: [
    'others can read the voucher key',
    'whoever has it promises in the name of this peer',
    'chmod 600 the file',
  ],
  VOUCHER_KEY_DAMAGED: [
    'the voucher key is damaged',
    'the file does not hold a key of 32 bytes',
    'restore it from a backup',
  ],
}
