/** What a modelled peer can show of its work: final receipts of its own with their countersignatures, from what it has written down. */
import {
  openCountersignature,
  openReceipt,
  type Countersignature,
  type Receipt,
} from '../../protocols/receipt/index.ts'
import { referencesMax, type ShownReference } from '../../protocols/references/index.ts'
import type { Notary, Signed } from '../../protocols/wire/index.ts'
import type { Books } from './disk.ts'

/** Statements by their envelopes, as they were when they were said: opening them again would cost more than the look. */
type Said = Pick<WeakMap<Uint8Array, Signed<unknown>>, 'get'>

export class ReferenceShelf {
  readonly #notary: Notary
  readonly #books: Pick<Books, 'statements'>
  readonly #said: Said
  #read = 0
  /** By lease. */
  readonly #finals = new Map<string, { receipt: Signed<Receipt>; countersignature?: Uint8Array }>()

  constructor(notary: Notary, books: Pick<Books, 'statements'>, said: Said) {
    this.#notary = notary
    this.#books = books
    this.#said = said
  }

  /** The dearest first, as the ledger would choose them (src/ledger/receipts.ts). */
  shown(): ShownReference[] {
    this.#readOn()
    return [...this.#finals.values()]
      .filter(({ receipt, countersignature }) => countersignature !== undefined && receipt.body.amountMicro > 0)
      .toSorted((left, right) => right.receipt.body.amountMicro - left.receipt.body.amountMicro)
      .slice(0, referencesMax)
      .map(({ receipt, countersignature }) => ({ receipt: receipt.envelope, countersignature: countersignature! }))
  }

  #readOn(): void {
    const { statements } = this.#books
    const { peer } = this.#notary.signer
    for (const { statement } of statements.slice(this.#read)) {
      const { kind, by, envelope } = statement
      if (kind === 'receipt' && by === peer) {
        const receipt = (this.#said.get(envelope) as Signed<Receipt>) ?? openReceipt(this.#notary, envelope)
        if (receipt.body.final) this.#finals.set(receipt.body.lease, { receipt })
      } else if (kind === 'countersignature' && by !== peer) {
        const signed =
          (this.#said.get(envelope) as Signed<Countersignature>) ?? openCountersignature(this.#notary, envelope)
        const { lease, sequence } = signed.body
        const final = this.#finals.get(lease)
        if (final?.receipt.body.sequence === sequence) final.countersignature = envelope
      }
    }
    this.#read = statements.length
  }
}
