/**
 * Both halves of paying as one goes, by their machines, for many leases at once; what a step is to write down is handed to whoever
 * keeps it. A state is as long as that of a lease is, which holds its AWARD, ACCEPT and COMMIT.
 */
import {
  usageOf,
  openAccount,
  openBill,
  openReceipt,
  stepBill,
  stepPay,
  type BillState,
  type Billing,
  type PayState,
  type Usage,
} from '../../protocols/receipt/index.ts'
import type { Statement } from '../../protocols/wire/index.ts'
import { encodeState } from '../../src/state-form.ts'
import { leaseBetween, notaryNamed } from './leases.ts'

/** What one step writes down. */
export interface Step {
  readonly id: string
  readonly state: Uint8Array
  readonly statements: readonly Statement[]
}

const intervalMs = 1
/** The envelopes of a lease with a small job, as they are in the state of its machine. */
const leaseEnvelopes = new Uint8Array(2_048)

export const [worker, asker] = [notaryNamed('provider'), notaryNamed('requester')]

export class Trade {
  readonly #bills: BillState[]
  readonly #accounts: PayState[]
  #nowMs = 0

  constructor(name: string, leases: number) {
    const all = Array.from({ length: leases }, (_, index) =>
      leaseBetween(worker.signer.peer, asker.signer.peer, `${name}/${index}`, intervalMs),
    )
    this.#bills = all.map((lease) => openBill(lease, 0))
    this.#accounts = all.map((lease) => openAccount(lease))
  }

  /** The next moment: every lease is due. */
  turn(): void {
    this.#nowMs += intervalMs
  }

  /** The provider signs the next receipt of a lease. */
  receipt(index: number): Step {
    const used = { wallMs: this.#nowMs, cpuMs: this.#nowMs, gas: 0, inBytes: 0, outBytes: 0 }
    const usage: Usage = usageOf(this.#bills[index]!.lease, used)
    const [bill, effects] = stepBill(worker, this.#bills[index]!, { is: 'wake', usage }, this.#nowMs)
    this.#bills[index] = bill
    return stepOf(bill.lease.id, bill, effects)
  }

  /** The requester checks the receipt's signature and all else, and countersigns. */
  countersign(index: number): Step {
    const bill = this.#bills[index]!
    if (bill.at !== 'asking') throw new Error(`the bill is ${bill.at}`)
    const message: Billing = { say: 'receipt', receipt: openReceipt(asker, bill.receipt.envelope) }
    const measured = { wallMs: this.#nowMs, inBytes: 0, gasMax: 0, result: null }
    const input = { is: 'message', from: worker.signer.peer, message, measured } as const
    const [account, effects] = stepPay(asker, this.#accounts[index]!, input, this.#nowMs)
    this.#accounts[index] = account
    return stepOf(account.lease.id, account, effects)
  }

  /** The provider takes the countersignature. */
  take(index: number): Step {
    const countersignature = this.#accounts[index]!.last
    if (countersignature === null) throw new Error('nothing was countersigned')
    const message: Billing = { say: 'countersignature', countersignature }
    const input = { is: 'message', from: asker.signer.peer, message } as const
    const [bill, effects] = stepBill(worker, this.#bills[index]!, input, this.#nowMs)
    this.#bills[index] = bill
    return stepOf(bill.lease.id, bill, effects)
  }
}

function stepOf(
  id: string,
  state: unknown,
  effects: readonly ({ readonly do: string } | { readonly do: 'record'; readonly statement: Statement })[],
): Step {
  const statements = effects.flatMap((effect) => ('statement' in effect ? [effect.statement] : []))
  return { id, state: encodeState({ lease: leaseEnvelopes, state }), statements }
}
