/** What is owed, settled, earned and spent, told to the owner. */
import { toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { hashTextOf, openAgreed, type Agreed, type Disputed } from '../../protocols/settle/index.ts'
import { digestOfVoucher, voucherFileOf, type Voucher } from '../../protocols/voucher/index.ts'
import { formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import {
  ControlError,
  type AccountView,
  type IncomeView,
  type MoneyControl,
  type SettledView,
  type ShareView,
  type StatementsView,
  type StatementView,
  type VouchersView,
  type VoucherView,
} from '../control/api.ts'
import type { Clock } from '../environment.ts'
import type { Incomes } from '../ledger/incomes.ts'
import type { Settlements } from '../ledger/settlements.ts'
import type { Partner } from '../settlement/books.ts'
import { unsettledOf } from '../settlement/policy.ts'
import type { Settlement } from '../settlement/settlement.ts'
import { split, type Share } from '../settlement/shares.ts'
import type { VoucherDesk } from '../settlement/voucher-desk.ts'
import { peerView } from './views.ts'

export interface MoneyDeps {
  readonly notary: Notary
  readonly clock: Pick<Clock, 'deadline'>
  readonly method: VouchersView['method']
  readonly settlement: Settlement
  readonly vouchers: VoucherDesk | null
  readonly settlements: Settlements
  readonly incomes: Incomes
  readonly shares: readonly Share[]
}

/** How long somebody waits for another peer to settle: longer than a proposal that is not answered is repeated. */
export const settleWithinMs = 35_000
/** Accounts that are settled at once on the owner's word. */
const settledAtOnceMax = 256
/** Statements that are shown. */
const statementsShownMax = 1_000

export class OwnMoney implements MoneyControl {
  readonly #deps: MoneyDeps

  constructor(deps: MoneyDeps) {
    this.#deps = deps
  }

  async statements(): Promise<StatementsView> {
    const { method, settlements } = this.#deps
    return {
      v: 1,
      method,
      accounts: settlements.partners().map((partner) => this.#accountView(partner)),
      statements: this.#statements().map(({ view }) => view),
    }
  }

  async settle({ peer }: { readonly peer?: string }, signal: AbortSignal): Promise<SettledView> {
    const { method, settlement, settlements, clock } = this.#deps
    if (method === 'none') throw settlementOff()
    const partners = settlements.partners()
    const wanted = peer === undefined ? partners : this.#named(partners, peer)
    using deadline = clock.deadline(settleWithinMs, signal)
    const outcomes = await Promise.all(
      wanted.slice(0, settledAtOnceMax).map(async (partner) => ({
        ...partner,
        outcome: await settlement.settle(partner, deadline.signal),
      })),
    )
    const newest = this.#statements()
    const settled = outcomes
      .filter(({ outcome }) => peer !== undefined || outcome !== 'nothing')
      .map(({ peer: other, unit, outcome }) => ({
        other: peerView(other),
        unit,
        outcome,
        statement:
          outcome === 'agreed' ? (newest.find((one) => one.peer === other && one.unit === unit)?.view ?? null) : null,
      }))
    return { v: 1, method, settled }
  }

  async income({ role, by, sinceMs }: Parameters<MoneyControl['income']>[0]): Promise<IncomeView> {
    const { incomes, shares } = this.#deps
    const rows = incomes.by(by, role, sinceMs)
    const units = [...new Set(rows.map(({ unit }) => unit))].toSorted()
    return {
      v: 1,
      role,
      by,
      sinceMs,
      rows: rows.map(({ key, unit, micro, leases, lastMs }) => ({
        key,
        other: by === 'peer' ? peerView(key) : null,
        amount: formatMicro(micro),
        unit,
        leases,
        lastMs,
      })),
      totals: units.map((unit) => {
        const micro = rows.filter((row) => row.unit === unit).reduce((sum, row) => sum + row.micro, 0n)
        return { amount: formatMicro(micro), unit, shares: role === 'provider' ? sharesOf(micro, shares) : [] }
      }),
    }
  }

  async vouchers(): Promise<VouchersView> {
    return { v: 1, method: this.#deps.method, vouchers: this.#vouchers().map(({ view }) => view) }
  }

  async voucherFile(idPrefix: string): Promise<unknown> {
    const wanted = idPrefix.replace(/^0x/, '')
    const found = this.#vouchers().filter(({ view }) => view.id.startsWith(wanted))
    if (found.length === 1) return found[0]!.file
    throw new ControlError({
      code: found.length === 0 ? 'NOT_FOUND' : 'AMBIGUOUS',
      what: found.length === 0 ? `no voucher begins with ${wanted}` : `${found.length} vouchers begin with ${wanted}`,
      why: 'of each account the last is kept: it is worth all before it',
      cure: 'pleach voucher ls',
      exit: 2,
    })
  }

  #vouchers(): { readonly view: VoucherView; readonly file: unknown }[] {
    const { notary, vouchers } = this.#deps
    return (vouchers?.states() ?? []).flatMap(({ give, take }) => {
      const given = give.at === 'given' ? [{ ...give, way: 'given' as const }] : []
      const taken =
        take.last === null || take.key === null
          ? []
          : [{ ...take, way: 'taken' as const, key: take.key, voucher: take.last, takenSequence: take.last.sequence }]
      return [...given, ...taken].map(({ other, way, key, voucher, takenSequence }) => ({
        view: voucherView(other, way, voucher, takenSequence),
        file: voucherFileOf(notary.network, key, voucher),
      }))
    })
  }

  /** Newest first. */
  #statements(): { readonly peer: PeerName; readonly unit: string; readonly view: StatementView }[] {
    const { notary, settlements, shares } = this.#deps
    return settlements.list(statementsShownMax).map((entry) => {
      const { peer, unit, number } = entry
      const before = number > 1 ? settlements.agreed(peer, unit, number - 1) : undefined
      const fromMs = before === undefined ? null : openAgreed(notary, before).statement.body.issuedMs
      return { peer, unit, view: statementView(notary.signer.peer, openAgreed(notary, entry), fromMs, shares) }
    })
  }

  #accountView({ peer, unit }: Partner): AccountView {
    const { notary, settlement, settlements } = this.#deps
    const { leases, netMicro } = unsettledOf(notary.signer.peer, settlements.unsettledWith(peer, unit))
    const { toUs, byUs } = settlements.owed(peer, unit)
    const settledMicro = toUs - byUs
    const at = settlement.accounts().find((one) => one.other === peer && one.unit === unit)?.at ?? 'resting'
    return {
      other: peerView(peer),
      unit,
      net: formatMicro(magnitude(settledMicro)),
      owes: debtor(settledMicro),
      unsettledLeases: leases,
      unsettled: formatMicro(magnitude(netMicro)),
      unsettledOwes: debtor(netMicro),
      state: at !== 'resting' ? at : leases + settlements.forfeitsWith(peer, unit).length > 0 ? 'open' : 'settled',
    }
  }

  #named(partners: readonly Partner[], typed: string): readonly Partner[] {
    const fits = ({ peer }: Partner): boolean =>
      peer.startsWith(typed) || peer.endsWith(typed) || peerView(peer).petname === typed
    const found = partners.filter(fits)
    const peers = new Set(found.map(({ peer }) => peer))
    if (peers.size === 1) return found
    throw new ControlError({
      code: peers.size === 0 ? 'NOT_FOUND' : 'AMBIGUOUS',
      what: peers.size === 0 ? `nothing is shared with a peer called ${typed}` : `${peers.size} peers fit ${typed}`,
      why: 'a peer is named by its petname or a part of its id; there is an account with whoever has a receipt with us',
      cure: 'pleach statements',
      exit: 2,
    })
  }
}

function statementView(self: PeerName, agreed: Agreed, fromMs: number | null, shares: readonly Share[]): StatementView {
  const { statement } = agreed
  const { lower, higher, unit, number, entries, forfeits, lowerEarnedMicro, higherEarnedMicro, issuedMs } =
    statement.body
  const [earned, spent] = self === lower ? [lowerEarnedMicro, higherEarnedMicro] : [higherEarnedMicro, lowerEarnedMicro]
  const isOurs = statement.by === self
  return {
    v: 1,
    id: hashTextOf(statement),
    other: peerView(self === lower ? higher : lower),
    unit,
    number,
    fromMs,
    untilMs: issuedMs,
    leases: entries.length,
    earned: formatMicro(earned),
    spent: formatMicro(spent),
    net: formatMicro(statement.body.netMicro),
    owes: owesWord(self, statement.body.debtor),
    disputed: statement.body.disputed.map((one) => disputedView(one, isOurs)),
    forfeits: forfeits.map(({ lease, provider, bondMicro }) => ({
      lease,
      by: provider === self ? 'we' : 'they',
      bond: formatMicro(bondMicro),
    })),
    shares: sharesOf(BigInt(earned), shares),
  }
}

function disputedView({ lease, code, proposerHolds, otherHolds }: Disputed, isOurs: boolean) {
  const [weHold, theyHold] = isOurs ? [proposerHolds, otherHolds] : [otherHolds, proposerHolds]
  return {
    lease,
    code,
    weHold: formatMicro(weHold?.amountMicro ?? 0),
    theyHold: formatMicro(theyHold?.amountMicro ?? 0),
  }
}

function sharesOf(micro: bigint, shares: readonly Share[]): ShareView[] {
  return split(micro, shares).map(({ owner, micro: part }) => ({ owner, amount: formatMicro(part) }))
}

function voucherView(other: PeerName, way: VoucherView['way'], voucher: Voucher, takenSequence: number): VoucherView {
  const { unit, cumulativeMicro, sequence, payer, payee, expiresAtS } = voucher
  return {
    v: 1,
    id: toString(digestOfVoucher(voucher), 'hex'),
    other: peerView(other),
    way,
    unit,
    amount: formatMicro(cumulativeMicro),
    sequence,
    payer,
    payee,
    expiresMs: expiresAtS * 1_000,
    acknowledged: takenSequence === sequence,
  }
}

/** `micro`: what we are owed, less what we owe. */
function debtor(micro: bigint): 'we' | 'they' | 'nobody' {
  return micro === 0n ? 'nobody' : micro > 0n ? 'they' : 'we'
}

function owesWord(self: PeerName, debtorName: PeerName): 'we' | 'they' | 'nobody' {
  return debtorName === '' ? 'nobody' : debtorName === self ? 'we' : 'they'
}

function magnitude(micro: bigint): bigint {
  return micro < 0n ? -micro : micro
}

function settlementOff(): ControlError {
  return new ControlError({
    code: 'SETTLEMENT_OFF',
    what: 'this peer does not settle',
    why: 'it was started with --settlement none: each receipt stands for itself',
    cure: 'pleach up --settlement ledger',
    exit: 2,
  })
}
