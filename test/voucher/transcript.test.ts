/** A play of two peers and a voucher, to be read: what is said, in which order, and what is refused. */
import { join } from 'node:path'
import { test } from 'node:test'

import {
  openGiving,
  openTaking,
  stepGive,
  stepTake,
  takeWakeAtMs,
  type GiveEffect,
  type GiveState,
  type TakeEffect,
  type TakeInput,
  type TakeState,
  type Vouching,
} from '../../protocols/voucher/index.ts'
import { startMs } from '../negotiate/parties.ts'
import { asked, given, otherPurse, payee, payer, purse, redeemer, statement, unit } from './parties.ts'

const path = join(import.meta.dirname, '..', 'vectors', 'voucher-transcript.txt')
const [debtor, creditor] = [payer.signer.peer, payee.signer.peer]

class Play {
  readonly lines: string[] = []
  give: GiveState = openGiving(creditor, unit)
  take: TakeState = openTaking(debtor, unit)
  owedMicro = 0
  /** What the payer's books say; behind those of the payee for a while after a statement is agreed. */
  knownMicro = 0
  nowMs = startMs

  scene(text: string): void {
    this.lines.push('', `# ${text}`)
  }

  toPayee(input: TakeInput): void {
    const taker = { notary: payee, redeemer, owedMicro: this.owedMicro }
    const [next, effects] = stepTake(taker, this.take, input, this.nowMs)
    this.take = next
    this.#tell('payee', effects)
  }

  toPayer(message: Vouching): void {
    const giver = {
      notary: payer,
      purse,
      owedMicro: this.knownMicro,
      statement: this.knownMicro === 0 ? null : statement,
    }
    const [next, effects] = stepGive(giver, this.give, { is: 'message', from: creditor, message }, this.nowMs)
    this.give = next
    this.#tell('payer', effects)
  }

  wake(): void {
    this.nowMs = takeWakeAtMs(this.take) ?? this.nowMs
    this.toPayee({ is: 'wake' })
  }

  #tell(who: 'payer' | 'payee', effects: readonly (GiveEffect | TakeEffect)[]): void {
    for (const effect of effects) {
      if (effect.do === 'save') this.lines.push(`${who} writes it down`)
      if (effect.do === 'blame') this.lines.push(`${who} blames: ${effect.fault.code}`)
      if (effect.do !== 'send') continue
      this.lines.push(`${who} says ${wordsOf(effect.message)}`)
      if (who === 'payee') this.toPayer(effect.message)
      else this.toPayee({ is: 'message', from: debtor, message: effect.message })
    }
  }
}

function wordsOf(message: Vouching): string {
  switch (message.say) {
    case 'ask':
      return 'ASK'
    case 'voucher':
      return `VOUCHER ${message.voucher.sequence}: ${message.voucher.cumulativeMicro} in all`
    case 'taken':
      return `TAKEN ${message.sequence}`
    case 'refuse':
      return `REFUSE ${message.refusal.code}`
    default:
      return message satisfies never
  }
}

test('a play of vouchers', (t) => {
  const play = new Play()
  const hear = (message: Vouching): void => play.toPayee({ is: 'message', from: debtor, message })
  play.scene('nothing is owed: nobody says anything')
  play.toPayee({ is: 'ask' })
  play.scene('a statement is agreed: 1000 are owed')
  play.owedMicro = play.knownMicro = 1_000
  play.toPayee({ is: 'ask' })
  play.scene('another: 1500 in all; the payer has not heard of it yet, and has two seconds later')
  play.owedMicro = 1_500
  play.toPayee({ is: 'ask' })
  play.knownMicro = 1_500
  play.wake()
  play.scene('the last one again')
  if (play.give.at === 'given') hear({ say: 'voucher', key: play.give.key, voucher: play.give.voucher })
  play.scene('one for less, another of the same number, one for more than is owed, one by another key')
  hear(given({ sequence: 3, cumulativeMicro: 1_499 }))
  hear(given({ sequence: 2, cumulativeMicro: 1_400 }))
  hear(given({ sequence: 3, cumulativeMicro: 1_501 }))
  hear(given({ sequence: 3, cumulativeMicro: 1_500 }, otherPurse))
  play.scene('the payee asks for another address')
  play.toPayer(asked({ payee: redeemer.contract }))
  t.assert.fileSnapshot(`${play.lines.join('\n').trim()}\n`, path, {
    serializers: [(value: unknown) => value as string],
  })
})
