/** `pleach settle [PEER]`: agree with others on what is owed, now. */
import { exits } from '../config/error.ts'
import type { SettledView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { named } from './format.ts'
import { owesWords } from './statements.ts'

type Outcome = SettledView['settled'][number]['outcome']

export const command = defineCommand({
  usage: 'settle [flags] [PEER]',
  about: [
    'Agrees with a peer, named by its petname or a part of its id, or with all, on what both have signed and no statement has taken in',
    'yet. What the two hold differently is left out and carried over. Waits up to 35 s; exit code 5 when a peer did not answer.',
  ],
  flags: {},
  takes: ['PEER?'],
  async run(invocation) {
    const { positionals, terminal, signal } = invocation
    const [peer] = positionals
    const client = await connect(invocation)
    const view = await client.money.settle(peer === undefined ? {} : { peer }, signal)
    if (terminal.json) await terminal.printJson(view)
    else if (terminal.quiet) await terminal.print(...view.settled.flatMap(({ statement }) => statement?.id ?? []))
    else await terminal.print(...view.settled.map(settledLine))
    if (view.settled.length === 0) terminal.note('nothing to settle')
    const isLeft = view.settled.some(({ outcome }) => outcome === 'unanswered' || outcome === 'pending')
    return isLeft ? exits.unreachable : exits.ok
  },
})

const words: Readonly<Record<Outcome, string>> = {
  agreed: 'agreed',
  nothing: 'nothing to settle',
  disputed: 'all that is left is disputed: pleach statements',
  unanswered: 'no answer; it is asked again within the hour',
  stalled: 'it differs again and again: pleach statements',
  pending: 'not finished; it goes on',
}

function settledLine({ other, unit, outcome, statement }: SettledView['settled'][number]): string {
  if (statement === null) return `${named(other)}  ${safe(unit, 20)}  ${words[outcome]}`
  const { number, net, owes, disputed } = statement
  const left = disputed.length === 0 ? '' : `, ${disputed.length} disputed`
  const debt = owes === 'nobody' ? 'nobody owes anything' : `${owesWords[owes]} owe ${safe(net, 24)} ${safe(unit, 20)}`
  return `${named(other)}  statement ${number}: ${debt}${left}`
}
