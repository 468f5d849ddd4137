/**
 * The DHT of the storage model: one board for all, which takes its time, and now and then does not answer. What a record may say is
 * judged by the rules of production. (`bulletin.ts` is the one of the mesh, with holders that come and go.)
 */
import type { Bulletin, PeerName, RecordRules } from '../../protocols/wire/index.ts'
import type { SeededRandom } from '../random.ts'
import type { LifeClock } from './life.ts'

const lookMs = [100, 2_000] as const

export class StorageBulletin {
  /** How often a look-up comes to nothing. */
  failProbability = 0
  readonly #values = new Map<string, Uint8Array>()
  readonly #adverts = new Map<string, Set<PeerName>>()
  readonly #rules: RecordRules
  readonly #random: SeededRandom

  constructor(rules: RecordRules, random: SeededRandom) {
    this.#rules = rules
    this.#random = random
  }

  of(self: PeerName, life: LifeClock): Bulletin {
    const look = async (signal: AbortSignal): Promise<void> => {
      await life.sleep(this.#random.between(lookMs[0], lookMs[1]), signal)
      if (this.#random.chance(this.failProbability)) throw new Error('the DHT does not answer')
    }
    const nameOf = (namespace: string, key: Uint8Array): string => `${namespace} ${Buffer.from(key).toString('hex')}`
    const [values, adverts, rules] = [this.#values, this.#adverts, this.#rules]
    return {
      async put(namespace, key, value, signal) {
        await look(signal)
        rules.validate(key, value, life.nowMs())
        const name = nameOf(namespace, key)
        const known = values.get(name)
        const offered = known === undefined ? [value] : [known, value]
        values.set(name, offered[rules.select(key, offered)]!)
        return 1
      },
      async get(namespace, key, signal) {
        await look(signal)
        return values.get(nameOf(namespace, key))
      },
      async advertise(name, signal) {
        await look(signal)
        const peers = adverts.get(name) ?? new Set<PeerName>()
        adverts.set(name, peers.add(self))
      },
      withdraw: async () => {},
      async *find(name, limit, signal) {
        await look(signal)
        yield* [...(adverts.get(name) ?? [])].slice(0, limit)
      },
    }
  }
}
