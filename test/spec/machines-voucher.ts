/** The two machines of vouchers, and whatever may be said to them. */
import {
  openGiving,
  openTaking,
  stepGive,
  stepTake,
  takeWakeAtMs,
  type GiveInput,
  type GiveState,
  type TakeInput,
  type TakeState,
  type Vouching,
} from '../../protocols/voucher/index.ts'
import { nobody, startMs } from '../negotiate/parties.ts'
import {
  asked,
  given,
  otherPurse,
  outsider,
  payee,
  payer,
  purse,
  redeemer,
  statement,
  unit,
} from '../voucher/parties.ts'
import { passedOn, walk, type Machine } from './walk.ts'

const refused: Vouching = { say: 'refuse', unit, refusal: { code: passedOn, facts: {} } }
const elsewhere = redeemer.contract

/** What is owed goes up while it walks: a wish of the caller, not of the machine. */
interface Giving extends Record<string, unknown> {
  readonly state: GiveState
}

const give: Machine<Giving, GiveInput & { readonly owedMicro: number }> = {
  protocol: 'voucher',
  name: 'stepGive',
  begins: [{ on: 'openGiving', step: [{ state: openGiving(payee.signer.peer, unit) }, []], atMs: startMs }],
  nameOf: ({ state }) => state.at,
  keyOf: ({ state }) =>
    state.at === 'given' ? `${Math.min(3, state.voucher.sequence)} ${Math.min(2, state.takenSequence)}` : '',
  placesPerKeyMax: 2,
  *inputs({ state }) {
    const sequence = state.at === 'given' ? state.voucher.sequence : 1
    const messages: Vouching[] = [
      asked(),
      asked({ payee: elsewhere }),
      asked({}, outsider),
      asked({ unit: 'euro' }),
      asked({ payer: payee.signer.peer }),
      { say: 'taken', unit, sequence },
      { say: 'taken', unit, sequence: sequence + 1 },
      refused,
      given(),
    ]
    for (const message of messages)
      for (const from of [payee.signer.peer, nobody])
        for (const owedMicro of [0, 1_000, 2_000]) yield [message.say, { is: 'message', from, message, owedMicro }]
  },
  step: ({ state }, { owedMicro, ...input }, nowMs) => {
    const [next, effects] = stepGive({ notary: payer, purse, owedMicro, statement }, state, input, nowMs)
    return [{ state: next }, effects]
  },
  final: [],
  other: payee.signer.peer,
}

const take: Machine<TakeState, TakeInput & { readonly owedMicro: number }> = {
  protocol: 'voucher',
  name: 'stepTake',
  begins: [{ on: 'openTaking', step: [openTaking(payer.signer.peer, unit), []], atMs: startMs }],
  nameOf: ({ at }) => at,
  keyOf: ({ last, at }) => `${at} ${Math.min(2, last?.sequence ?? 0)} ${last?.cumulativeMicro ?? 0}`,
  placesPerKeyMax: 2,
  *inputs(state, nowMs) {
    const sequence = (state.last?.sequence ?? 0) + 1
    const messages: Vouching[] = [
      given({ sequence }),
      given({ sequence, cumulativeMicro: 2_000 }),
      given({ sequence: 1 }),
      given({ sequence: 1, cumulativeMicro: 999 }),
      given({ sequence, cumulativeMicro: 1 }),
      given({ sequence }, otherPurse),
      given({ sequence }, purse, outsider),
      given({ sequence, payee: elsewhere }),
      given({ sequence, unit: 'euro' }),
      given({ sequence, expiresAtS: Math.floor(nowMs / 1_000) }),
      refused,
      asked(),
      { say: 'taken', unit, sequence: 1 },
    ]
    for (const owedMicro of [0, 1_000, 2_000]) {
      for (const message of messages)
        for (const from of [payer.signer.peer, nobody]) yield [message.say, { is: 'message', from, message, owedMicro }]
      yield ['ask', { is: 'ask', owedMicro }]
    }
    yield ['wake', { is: 'wake', owedMicro: 1_000 }]
  },
  step: (state, { owedMicro, ...input }, nowMs) =>
    stepTake({ notary: payee, redeemer, owedMicro }, state, input, nowMs),
  wakeAtMs: takeWakeAtMs,
  wake: { is: 'wake', owedMicro: 1_000 },
  final: [],
  other: payer.signer.peer,
}

export const voucherMachines = [() => walk(give), () => walk(take)]
