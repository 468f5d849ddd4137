/** Settling in one life of a model peer: the desk of production, on books over what the peer's disk holds. */
import { provesEquivocation } from '../../protocols/evidence/index.ts'
import { EquivocationFault, leaseIdOf, type Notary } from '../../protocols/negotiate/index.ts'
import {
  decodeSettling,
  encodeSettling,
  openForfeit,
  unlessBroken,
  type ForfeitEnvelopes,
  type SettleState,
  type Settling,
} from '../../protocols/settle/index.ts'
import { Fault, type PeerName, type Statement } from '../../protocols/wire/index.ts'
import { silentLog, type Clock, type Random } from '../../src/environment.ts'
import type { Journal, JournalEntry } from '../../src/reactor.ts'
import type { SettlePolicy } from '../../src/settlement/policy.ts'
import { SettleDesk } from '../../src/settlement/settle-desk.ts'
import { StatementBooks } from '../../src/settlement/statement-books.ts'

/** In the time of the model: what production settles in hours. */
const policy: SettlePolicy = {
  lookEveryMs: 3_000,
  periodMs: 8_000,
  retryMs: 6_000,
  leasesUnsettledMax: 4,
  netUnsettledMicroMax: 1_000_000,
  earnedUnsettledMicroMax: 1_000_000,
}

/** What proves that a bond is forfeited to this peer. A peer has them over all of its lives: the ledger keeps them. */
export interface Claim {
  readonly peer: PeerName
  readonly unit: string
  readonly lease: string
  readonly proof: ForfeitEnvelopes
}

export interface AccountDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
  /** What the disk has from earlier lives. */
  readonly statements: readonly { readonly statement: Statement }[]
  readonly claims: readonly Claim[]
  send(to: PeerName, message: Settling): void
  onFault(peer: PeerName, fault: Fault): void
}

export class Accounts {
  readonly books: StatementBooks
  readonly desk: SettleDesk
  /** The journal of all of this life's machines: what it has written shows in the books before anybody hears that it is. */
  readonly journal: Journal

  constructor(deps: AccountDeps) {
    const { notary, journal } = deps
    const books = new StatementBooks(
      notary,
      deps.statements.map(({ statement }) => statement),
    )
    this.books = books
    for (const claim of deps.claims) this.claim(claim)
    this.journal = {
      commit: async (entry: JournalEntry) => {
        await journal.commit(entry)
        for (const statement of entry.statements) books.add(statement)
      },
    }
    this.desk = new SettleDesk({
      ...deps,
      journal: this.journal,
      log: silentLog,
      books,
      policy,
      onEvent: () => {},
    })
  }

  claim({ peer, unit, lease, proof }: Claim): void {
    this.books.claim(peer, unit, lease, proof)
  }

  resume(state: SettleState): void {
    this.desk.resume(state)
  }

  /** As bytes, through the codec: every frame of settling is tried. Returns what is wrong with it. */
  hear(notary: Notary, from: PeerName, frame: Uint8Array): Fault | undefined {
    try {
      this.desk.onSettling(from, decodeSettling(notary, frame))
      return undefined
    } catch (error) {
      if (error instanceof Fault) return error
      throw error
    }
  }
}

/** As the running peer does: what is proven forfeits the bond of its lease, when the award that names one is on the disk. */
export function takeClaim(
  to: {
    readonly disk: { readonly statements: AccountDeps['statements'] }
    readonly claims: Claim[]
    readonly accounts: Accounts | null
  },
  notary: Notary,
  fault: Fault,
): void {
  const claim = fault instanceof EquivocationFault ? claimOf(notary, to.disk.statements, fault) : undefined
  if (claim === undefined || to.claims.some(({ lease }) => lease === claim.lease)) return
  to.claims.push(claim)
  to.accounts?.claim(claim)
}

/** Undefined: it forfeits nothing. */
function claimOf(
  notary: Notary,
  statements: AccountDeps['statements'],
  { first, second }: EquivocationFault,
): Claim | undefined {
  return unlessBroken(() => {
    const { lease } = provesEquivocation(notary, { first, second })
    const award = statements.find(
      ({ statement: { kind, envelope } }) => kind === 'award' && leaseIdOf(envelope) === lease,
    )?.statement.envelope
    if (lease === null || award === undefined) return undefined
    const proof = { award, first, second }
    const { by, body } = openForfeit(notary, proof).award
    return by === notary.signer.peer ? { peer: body.provider, unit: body.unit, lease, proof } : undefined
  })
}

export const frameOf = encodeSettling
