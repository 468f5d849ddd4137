/** What is owed and how it is made good, put together: books over the ledger, the method, the protocols' frames, and credit. */
import { join } from 'node:path'

import type { Notary } from '../../protocols/negotiate/index.ts'
import {
  decodeSettling,
  encodeSettling,
  settleLimits,
  settleProtocol,
  type SettleState,
} from '../../protocols/settle/index.ts'
import {
  decodeVouching,
  encodeVouching,
  voucherLimits,
  voucherProtocol,
  type GiveState,
  type TakeState,
} from '../../protocols/voucher/index.ts'
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import type { MoneyOptions } from '../config/options.ts'
import type { MoneyControl } from '../control/api.ts'
import type { Clock, Log, Random } from '../environment.ts'
import { petnameOf } from '../host/index.ts'
import type { Damages } from '../ledger/damages.ts'
import { Exposures } from '../ledger/exposures.ts'
import { Incomes } from '../ledger/incomes.ts'
import type { MachineStates } from '../ledger/machine-states.ts'
import { Settlements } from '../ledger/settlements.ts'
import type { Store } from '../ledger/store.ts'
import type { CommitCap } from '../market/commitment.ts'
import type { Credit } from '../market/exposure.ts'
import type { Journal } from '../reactor.ts'
import { decodeState } from '../state-form.ts'
import { capOf } from '../settlement/credit.ts'
import { LedgerSettlement } from '../settlement/ledger-settlement.ts'
import { settlePolicy } from '../settlement/policy.ts'
import { openPurse } from '../settlement/purse.ts'
import { noSettlement, type Settlement } from '../settlement/settlement.ts'
import { VoucherDesk } from '../settlement/voucher-desk.ts'
import { OwnCredit } from './credit.ts'
import { OwnMoney, settleWithinMs } from './money.ts'
import type { Courier } from './routes.ts'

export interface SettlingDeps {
  readonly notary: Notary
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly journal: Journal
  readonly ledger: Store
  /** Leases of which a row is not what was written: nothing is settled on them. */
  readonly damages: Pick<Damages, 'has'>
  readonly courier: Courier
  readonly dataDir: string
  onFault(peer: PeerName, fault: Fault): void
}

export interface OwnSettling {
  readonly credit: Credit
  readonly commitCap: CommitCap
  readonly money: MoneyControl
  /** What comes is dropped until `haveResumed`: an account that is not taken up yet does not know its own statements. */
  serve(haveResumed: () => boolean): Promise<void>
  begin(machines: MachineStates): void
  stop(): Promise<void>
}

/**
 * A ceiling is the most that a lease can come to, and most come to a tenth of it: so what is committed to a provider may be so many times
 * what a requester may owe.
 */
const commitFactor = 10n

/** `onRoom`: a requester owes less than it did. Throws PurseError when the key for vouchers cannot be used. */
export async function createSettling(
  deps: SettlingDeps,
  options: MoneyOptions,
  onRoom: () => void,
): Promise<OwnSettling> {
  const { notary, clock, ledger, courier, dataDir, random, log } = deps
  const { settlement: method, rewardAddress, voucherContract } = options
  const settlements = new Settlements(ledger, notary.signer.peer, (lease) => deps.damages.has(lease))
  const exposures = new Exposures(ledger)
  const policy = { floorMicro: options.creditFloorMicro, ceilingMicro: options.creditCeilingMicro }
  const redeemer = rewardAddress === null ? null : { payee: rewardAddress, ...voucherContract }
  const vouchers: VoucherDesk | null =
    method === 'vouchers'
      ? new VoucherDesk({
          ...deps,
          purse: await openPurse(join(dataDir, 'voucher-key'), random),
          redeemer,
          partners: () => settlements.partners(),
          owed: (peer, unit) => settlements.owed(peer, unit),
          send: (to, message) => courier.send(to, voucherProtocol, encodeVouching(message)),
          onEvent: ({ peer, unit }, event) => {
            const isBad = event.happened === 'refused' || event.happened === 'unanswered'
            const because = event.happened === 'refused' ? ` ${event.because.code}` : ''
            log(isBad ? 'warn' : 'info', `voucher with ${petnameOf(peer)}: ${event.happened}${because}`, { peer, unit })
            if (event.happened === 'taken') onLess(peer, unit)
          },
        })
      : null
  const settlement: Settlement =
    method === 'none'
      ? noSettlement
      : new LedgerSettlement({
          ...deps,
          books: settlements,
          // What a stranger may owe is not to be used up by what only waits for its hour.
          policy: {
            ...settlePolicy,
            earnedUnsettledMicroMax: Math.min(settlePolicy.earnedUnsettledMicroMax, Math.ceil(policy.floorMicro / 2)),
          },
          send: (to, message) => courier.send(to, settleProtocol, encodeSettling(message)),
          onEvent: (peer, unit, { happened }) => {
            log(happened === 'agreed' ? 'info' : 'warn', `settling with ${petnameOf(peer)}: ${happened}`, {
              peer,
              unit,
            })
            if (happened !== 'agreed') return
            vouchers?.ask(peer, unit)
            onLess(peer, unit)
          },
        })
  const ending = new AbortController()
  const credit: OwnCredit = new OwnCredit({
    exposures,
    policy,
    clock,
    settle: method === 'none' ? null : (peer, unit) => void settleSoon(peer, unit),
    promised:
      vouchers === null || redeemer === null
        ? null
        : (peer, unit) => ({
            owedMicro: settlements.owed(peer, unit).toUs,
            promisedMicro: vouchers.promisedMicro(peer, unit),
          }),
  })
  const settleSoon = async (peer: PeerName, unit: string): Promise<void> => {
    using deadline = clock.deadline(settleWithinMs, ending.signal)
    await settlement.settle({ peer, unit }, deadline.signal)
  }
  const onLess = (peer: PeerName, unit: string): void => {
    credit.changed(peer, unit)
    onRoom()
  }
  const incomes = new Incomes(ledger)
  return {
    credit,
    commitCap: (provider, unit) => commitFactor * capOf(policy, exposures.spentWith(provider, unit)),
    money: new OwnMoney({
      notary,
      clock,
      method,
      settlement,
      settlements,
      vouchers,
      incomes,
      shares: options.rewardShares,
    }),
    async serve(haveResumed) {
      if (method === 'none') return
      await courier.register(settleProtocol, settleLimits, (from, frame) => {
        const message = decodeSettling(notary, frame)
        if (haveResumed()) settlement.hear(from, message)
      })
      if (vouchers === null) return
      await courier.register(voucherProtocol, voucherLimits, (from, frame) => {
        const message = decodeVouching(notary, frame)
        if (haveResumed()) vouchers.hear(from, message)
      })
    },
    begin(machines) {
      for (const { state } of machines.open('settle')) settlement.resume(decodeState<SettleState>(state))
      settlement.start()
      vouchers?.start(machines.open('voucher').map(({ state }) => decodeState<GiveState | TakeState>(state)))
    },
    async stop() {
      ending.abort(new Error('the peer is stopping'))
      await Promise.all([settlement.stop(), vouchers?.stop()])
    },
  }
}
