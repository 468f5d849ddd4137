/**
 * Answers for the DHT with the oldest record that it ever saw, another's under this key, a forged one with the highest number there
 * is, or none; names providers that are none; and says under every name that it can be found there.
 */
import { Record } from '@libp2p/kad-dht'

import { keeperAdvert, runtimeAdvert } from '../../../protocols/capability/index.ts'
import type { DhtAnswer, DhtMessage, DhtPeer, Host } from '../../../src/host/index.ts'
import { PoisonedAnswers } from '../../model/poison.ts'
import { bendDht, dhtPeer } from './bent-dht.ts'
import { notaryOf, type Vice, type ViceContext } from './vice.ts'

/** Under names where it has nothing to offer. */
const advertiseWithinMs = 20_000

export const poison: Vice = {
  bend: (ports, context) => bendDht(ports, poisoned(context)),

  async act(host: Host, { network, clock }, signal) {
    using deadline = clock.deadline(advertiseWithinMs, signal)
    for (const name of [keeperAdvert(network), runtimeAdvert(network, 'wasi-preview1')])
      await host.bulletin.advertise(name, deadline.signal).catch(() => {})
  },
}

function poisoned(context: ViceContext): DhtAnswer {
  const { random, clock } = context
  const names = () => context.others().map(({ peer }) => peer)
  const answers = new PoisonedAnswers(notaryOf(context), random, names)
  const recordOf = (key: Uint8Array, record: Uint8Array | undefined): Uint8Array | undefined => {
    const known = record === undefined ? undefined : Record.deserialize(record)
    const value = answers.get(Buffer.from(key).toString('latin1'), known?.value, clock.nowMs())
    return value === undefined ? undefined : new Record(key, value, new Date(clock.nowMs())).serialize()
  }
  const providersOf = (providers: readonly DhtPeer[]): DhtPeer[] => {
    if (random.chance(0.5)) return []
    const someone = random.pick(context.others())
    return [dhtPeer(someone), ...providers.slice(1)]
  }
  return ({ type, key = new Uint8Array() }, answer) => {
    if (answer === undefined) return undefined
    if (type === 'GET_PROVIDERS') return { ...answer, providers: providersOf(answer.providers) }
    if (type !== 'GET_VALUE') return answer
    const { record: honest, ...rest } = answer
    const record = recordOf(key, honest)
    return record === undefined ? rest : ({ ...rest, record } satisfies DhtMessage)
  }
}
