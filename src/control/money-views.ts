/** What is owed, settled, earned and spent, as the owner sees it. Amounts are decimal text; each has its unit beside it, and units are never added up. */
import type { PeerView } from './api.ts'

export type SettlementMethodView = 'none' | 'ledger' | 'vouchers'

/** A statement that both have signed. */
export interface StatementView {
  readonly v: 1
  /** SHA-256 of its envelope, hex. */
  readonly id: string
  readonly other: PeerView
  readonly unit: string
  readonly number: number
  /** When the statement before was made; null: it is the first. */
  readonly fromMs: number | null
  readonly untilMs: number
  /** Leases that it takes in. */
  readonly leases: number
  readonly earned: string
  readonly spent: string
  readonly net: string
  readonly owes: 'we' | 'they' | 'nobody'
  /** Leases that were left out, because the two hold different things: they are carried over. */
  readonly disputed: readonly {
    readonly lease: string
    readonly code: string
    readonly weHold: string
    readonly theyHold: string
  }[]
  /** Bonds of leases whose provider is proven to have signed two things of which only one can be; `by`: who provided, and owes it. */
  readonly forfeits: readonly { readonly lease: string; readonly by: 'we' | 'they'; readonly bond: string }[]
  /** Of what was earned. */
  readonly shares: readonly ShareView[]
}

export interface ShareView {
  readonly owner: string
  readonly amount: string
}

/** How one stands with another peer in one unit. */
export interface AccountView {
  readonly other: PeerView
  readonly unit: string
  /** Of all agreed statements together. */
  readonly net: string
  readonly owes: 'we' | 'they' | 'nobody'
  /** Signed by both, and in no statement. */
  readonly unsettledLeases: number
  readonly unsettled: string
  readonly unsettledOwes: 'we' | 'they' | 'nobody'
  /** `open`: something is unsettled; the rest as in protocols/settle/README.md. */
  readonly state: 'settled' | 'open' | 'proposing' | 'unanswered' | 'stalled' | 'answering'
}

export interface StatementsView {
  readonly v: 1
  readonly method: SettlementMethodView
  readonly accounts: readonly AccountView[]
  /** Newest first. */
  readonly statements: readonly StatementView[]
}

export interface SettledView {
  readonly v: 1
  readonly method: SettlementMethodView
  readonly settled: readonly {
    readonly other: PeerView
    readonly unit: string
    readonly outcome: 'agreed' | 'nothing' | 'disputed' | 'unanswered' | 'stalled' | 'pending'
    /** The newest of the account, when one was agreed now. */
    readonly statement: StatementView | null
  }[]
}

/** What one peer has promised another, in all: the last of its vouchers. */
export interface VoucherView {
  readonly v: 1
  /** What is signed: the digest of its typed data, hex. */
  readonly id: string
  readonly other: PeerView
  /** `given`: we owe; `taken`: it is owed to us. */
  readonly way: 'given' | 'taken'
  readonly unit: string
  /** In all since the first. */
  readonly amount: string
  readonly sequence: number
  readonly payer: string
  readonly payee: string
  readonly expiresMs: number
  /** Whether the payee says that it has it. */
  readonly acknowledged: boolean
}

export interface VouchersView {
  readonly v: 1
  readonly method: SettlementMethodView
  readonly vouchers: readonly VoucherView[]
}

export type IncomeGroup = 'job' | 'day' | 'peer'

export interface IncomeView {
  readonly v: 1
  readonly role: 'provider' | 'requester'
  readonly by: IncomeGroup
  readonly sinceMs: number
  /** Newest first. */
  readonly rows: readonly {
    /** A job, a day (UTC) or a peer. */
    readonly key: string
    /** The peer, where it is one. */
    readonly other: PeerView | null
    readonly amount: string
    readonly unit: string
    readonly leases: number
    readonly lastMs: number
  }[]
  /** One for each unit. */
  readonly totals: readonly { readonly amount: string; readonly unit: string; readonly shares: readonly ShareView[] }[]
}

/**
 * The routes: GET /statements → StatementsView; POST /settle {peer?} → SettledView; GET /income?role=provider&by=day&since=0 → IncomeView;
 * GET /vouchers → VouchersView; GET /vouchers/:id → the voucher as a file (JSON).
 */
export interface MoneyControl {
  statements(): Promise<StatementsView>
  /** Settles now with one peer, by its petname or a part of its id, or with all with whom something is unsettled. */
  settle(input: { readonly peer?: string }, signal: AbortSignal): Promise<SettledView>
  vouchers(): Promise<VouchersView>
  /** The file that `voucher verify` reads, and whoever redeems it. */
  voucherFile(idPrefix: string): Promise<unknown>
  /** What both have signed: earned as a provider, or spent as a requester. */
  income(query: {
    readonly role: IncomeView['role']
    readonly by: IncomeGroup
    readonly sinceMs: number
  }): Promise<IncomeView>
}
