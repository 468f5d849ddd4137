/**
 * Books kept in memory over the statements that were written down: receipts, countersignatures, settlements and agreements, in
 * the order in which they were recorded. A statement that comes twice is one.
 */
import { toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { openCountersignature, openReceipt, type Receipt } from '../../protocols/receipt/index.ts'
import {
  openAgreed,
  openAgreement,
  type AgreedEnvelopes,
  type EvidenceEnvelopes,
  type ForfeitEnvelopes,
  type Held,
  type LeaseBook,
} from '../../protocols/settle/index.ts'
import { sha256, type PeerName, type Signed, type Statement } from '../../protocols/wire/index.ts'
import type { Books, Partner } from './books.ts'

interface Page {
  readonly lease: string
  readonly provider: PeerName
  /** By number. */
  readonly proofs: Map<number, EvidenceEnvelopes>
  held: Held | null
  settledMicro: number
}

interface AccountPages extends Partner {
  readonly leases: Map<string, Page>
  readonly agreed: Map<number, AgreedEnvelopes>
  /** By lease: what proves that its bond is forfeited. */
  readonly forfeits: Map<string, ForfeitEnvelopes>
}

export class StatementBooks implements Books {
  readonly #notary: Notary
  readonly #accounts = new Map<string, AccountPages>()
  readonly #pages = new Map<string, Page>()
  /** By hash: what a countersignature or an agreement may still name. */
  readonly #receipts = new Map<string, Signed<Receipt>>()
  readonly #settlements = new Map<string, Uint8Array>()
  readonly #forfeited = new Set<string>()

  constructor(notary: Notary, statements: Iterable<Statement> = []) {
    this.#notary = notary
    for (const statement of statements) this.add(statement)
  }

  /** Statements of other kinds are not looked at. */
  add({ kind, envelope }: Statement): void {
    switch (kind) {
      case 'receipt':
        return this.#addReceipt(openReceipt(this.#notary, envelope))
      case 'countersignature':
        return this.#countersign(envelope)
      case 'settlement':
        return void this.#settlements.set(hashOf(envelope), envelope)
      case 'settlement-agreement':
        return this.#settle(envelope)
      default:
    }
  }

  *partners(): Iterable<Partner> {
    for (const { peer, unit } of this.#accounts.values()) yield { peer, unit }
  }

  totalsWith(peer: PeerName, unit: string): readonly LeaseBook[] {
    const pages = this.#accounts.get(keyOf(peer, unit))?.leases.values() ?? []
    return Array.from(pages, ({ lease, provider, held, settledMicro }) => ({ lease, provider, held, settledMicro }))
  }

  unsettledWith(peer: PeerName, unit: string): readonly LeaseBook[] {
    return this.totalsWith(peer, unit).filter(
      ({ held, settledMicro }) => held !== null && held.amountMicro > settledMicro,
    )
  }

  evidence(lease: string, sequence: number): EvidenceEnvelopes | undefined {
    return this.#pages.get(lease)?.proofs.get(sequence)
  }

  /** What proves that a bond is forfeited to us; of each lease the first stays. */
  claim(peer: PeerName, unit: string, lease: string, proof: ForfeitEnvelopes): void {
    const { forfeits } = this.#account(peer, unit)
    if (!forfeits.has(lease)) forfeits.set(lease, proof)
  }

  forfeitsWith(peer: PeerName, unit: string): readonly ForfeitEnvelopes[] {
    const proofs = this.#accounts.get(keyOf(peer, unit))?.forfeits ?? []
    return [...proofs].filter(([lease]) => !this.#forfeited.has(lease)).map(([, proof]) => proof)
  }

  isForfeited(lease: string): boolean {
    return this.#forfeited.has(lease)
  }

  agreed(peer: PeerName, unit: string, number: number): AgreedEnvelopes | undefined {
    return this.#accounts.get(keyOf(peer, unit))?.agreed.get(number)
  }

  #addReceipt(receipt: Signed<Receipt>): void {
    this.#receipts.set(hashOf(receipt.envelope), receipt)
    const { lease, requester, unit } = receipt.body
    const me = this.#notary.signer.peer
    if (this.#pages.has(lease) || (receipt.by !== me && requester !== me)) return
    const account = this.#account(receipt.by === me ? requester : receipt.by, unit)
    const page: Page = {
      lease,
      provider: receipt.by,
      proofs: new Map(),
      held: null,
      settledMicro: 0,
    }
    this.#pages.set(lease, page)
    account.leases.set(lease, page)
  }

  #countersign(envelope: Uint8Array): void {
    const { by, body } = openCountersignature(this.#notary, envelope)
    const receipt = this.#receipts.get(toString(body.receipt, 'hex'))
    const page = this.#pages.get(body.lease)
    if (receipt === undefined || page === undefined || by !== receipt.body.requester) return
    const { sequence, amountMicro } = receipt.body
    page.proofs.set(sequence, { receipt: receipt.envelope, countersignature: envelope })
    if (page.held === null || page.held.sequence < sequence)
      page.held = { sequence, receipt: sha256(receipt.envelope), amountMicro }
  }

  #settle(envelope: Uint8Array): void {
    const { body } = openAgreement(this.#notary, envelope)
    const settlement = this.#settlements.get(toString(body.statement, 'hex'))
    if (settlement === undefined) return
    const { statement } = openAgreed(this.#notary, { statement: settlement, agreement: envelope })
    const { lower, higher, unit, number, entries, forfeits } = statement.body
    const account = this.#account(lower === this.#notary.signer.peer ? higher : lower, unit)
    account.agreed.set(number, { statement: settlement, agreement: envelope })
    for (const { lease } of forfeits) this.#forfeited.add(lease)
    for (const { lease, amountMicro } of entries) {
      const page = this.#pages.get(lease)
      if (page !== undefined) page.settledMicro = Math.max(page.settledMicro, amountMicro)
    }
  }

  #account(peer: PeerName, unit: string): AccountPages {
    const key = keyOf(peer, unit)
    const known = this.#accounts.get(key)
    if (known !== undefined) return known
    const account: AccountPages = { peer, unit, leases: new Map(), agreed: new Map(), forfeits: new Map() }
    this.#accounts.set(key, account)
    return account
  }
}

function keyOf(peer: PeerName, unit: string): string {
  return `${peer}/${unit}`
}

function hashOf(envelope: Uint8Array): string {
  return toString(sha256(envelope), 'hex')
}
