/** The three message-driven protocols of a job as one: what a machine of the market may send, and to whom. */
import type { Execution } from '../../protocols/execute/index.ts'
import type { Negotiation } from '../../protocols/negotiate/index.ts'
import type { Billing } from '../../protocols/receipt/index.ts'
import type { Effect, PeerName } from '../../protocols/wire/index.ts'

export type Carry =
  | { readonly protocol: 'negotiate'; readonly message: Negotiation }
  | { readonly protocol: 'execute'; readonly message: Execution }
  | { readonly protocol: 'receipt'; readonly message: Billing }

export type CarryInput = Carry & { readonly is: 'message'; readonly from: PeerName }

export type CarryEffect<Event> = Effect<Carry, Event>

export const inNegotiate = (message: Negotiation): Carry => ({ protocol: 'negotiate', message })
export const inExecute = (message: Execution): Carry => ({ protocol: 'execute', message })
export const inReceipt = (message: Billing): Carry => ({ protocol: 'receipt', message })

/**
 * Lifts the effects of a protocol machine into those of the market: sends are labelled with the protocol, and what the
 * machine tells is taken out, for the caller to act on.
 */
export function lift<Message, Event>(
  label: (message: Message) => Carry,
  effects: readonly Effect<Message, Event>[],
): { readonly effects: CarryEffect<never>[]; readonly events: Event[] } {
  const lifted: CarryEffect<never>[] = []
  const events: Event[] = []
  for (const effect of effects) {
    if (effect.do === 'tell') events.push(effect.event)
    else if (effect.do === 'send') lifted.push({ do: 'send', to: effect.to, message: label(effect.message) })
    else lifted.push(effect)
  }
  return { effects: lifted, events }
}

/** A COMMIT names its lease and not its job: every negotiation with that requester looks whether it is meant. */
export function jobOf(message: Exclude<Negotiation, { say: 'offer' | 'accept' }>): string | undefined {
  switch (message.say) {
    case 'award':
      return message.award.body.job
    case 'release':
      return message.job
    case 'refuse':
      return message.place.job
    case 'commit':
      return undefined
    default:
      return message satisfies never
  }
}
