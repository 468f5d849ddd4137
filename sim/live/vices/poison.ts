/**
 * Answers for the DHT with the oldest record that it ever saw, another's under this key, a forged one with the highest number there
 * is, or none; names providers that are none; and says under every name that it can be found there.
 */
import { keeperAdvert, runtimeAdvert } from '../../../protocols/capability/index.ts'
import type { Answerer } from '../../../src/host/index.ts'
import { PoisonedAnswers } from '../../model/poison.ts'
import { bendDht, dhtPeerOf, notaryOf, type Vice, type ViceContext } from './vice.ts'

const advertiseWithinMs = 20_000

export const poison: Vice = {
  bend: (ports, context) => bendDht(ports, poisoned(context)),

  async act(host, { network, clock }, signal) {
    using deadline = clock.deadline(advertiseWithinMs, signal)
    for (const name of [keeperAdvert(network), runtimeAdvert(network, 'wasi-preview1')])
      await host.bulletin.advertise(name, deadline.signal).catch(() => {})
  },
}

function poisoned(context: ViceContext): Answerer {
  const answers = new PoisonedAnswers(notaryOf(context), context.random, () => context.others().map(({ peer }) => peer))
  return ({ asks, key }, answer) => {
    const { value, providers } = answer
    if (asks === 'record')
      return { ...answer, value: answers.get(Buffer.from(key).toString('latin1'), value, context.clock.nowMs()) }
    if (asks === 'peers') return answer
    const named = answers.find(providers.map(({ peer }) => peer))
    return {
      ...answer,
      providers: [...providers, ...context.others().map(dhtPeerOf)].filter(
        ({ peer }, index, all) => named.includes(peer) && all.findIndex((other) => other.peer === peer) === index,
      ),
    }
  }
}
