/**
 * The DHT as the model has it, behind the port that kad-dht is behind in production, with its known weaknesses: a record is where
 * some of the nearest peers were up when it was put; one that was down has the old one, or none; an answer stops at twenty
 * providers; adverts cannot be taken back; and who is dishonest answers with what it likes.
 *
 * A look-up is one event: its hops are drawn as a delay, and what its holders say is gathered when it ends.
 */
import { equals } from 'uint8arrays'

import type { Bulletin, PeerName, RecordRules } from '../../protocols/wire/index.ts'
import type { Clock } from '../../src/environment.ts'
import type { SequenceFloors } from '../../src/host/sequence-floors.ts'
import type { VirtualClock } from '../clock.ts'
import { SeededRandom } from '../random.ts'
import type { ModelNetwork } from './network.ts'

/** Peers that hold one record, as in Kademlia. */
const replication = 20
/** Providers that one answer names at most. */
const providersMax = 20
/** How long an advert lives, as in kad-dht. */
const advertTermMs = 48 * 60 * 60_000
const hopsMax = 4
const answersWanted = 3
/** An answer goes through the promises of the directory or the publisher. */
const turnsAfterQuery = 20
/** Whoever looks up a name goes through the answers one by one, several promises each. */
const turnsAfterFind = 100
/** A holder that does not answer is waited for, once for all of them. */
const silentMs = 2_000

/** What one peer holds for others. It survives a crash, as its datastore does. */
export interface Shelf {
  readonly values: Map<string, Uint8Array>
  /** By name: who advertised, and until when. */
  readonly adverts: Map<string, Map<PeerName, number>>
  readonly floors: SequenceFloors
}

/** What the DHT must know of a peer. */
export interface Member {
  readonly number: number
  readonly name: PeerName
  readonly isUp: boolean
  readonly shelf: Shelf
  /** Judges what is stored, by its own clock. */
  readonly nowMs: number
  /** A dishonest peer's answer in the place of the right one. */
  answerGet(key: string, value: Uint8Array | undefined): Uint8Array | undefined
  answerFind(name: string, providers: readonly PeerName[]): readonly PeerName[]
}

interface Verdict {
  readonly sequence: number
  readonly by: PeerName
  readonly key: Uint8Array
  readonly untilMs: number
}

const verdictKeptMs = 1_000

export class ModelDht {
  readonly #clock: VirtualClock
  readonly #network: ModelNetwork
  readonly #random: SeededRandom
  readonly #rules: RecordRules
  readonly #members: Member[] = []
  /** Positions on the ring of keys, in the order of the members' numbers. */
  readonly #places: number[] = []
  #byPlace: number[] | undefined
  readonly #verdicts = new WeakMap<Uint8Array, Verdict>()
  readonly counts = { puts: 0, gets: 0, finds: 0, refused: 0 }

  constructor(clock: VirtualClock, network: ModelNetwork, random: SeededRandom, rules: RecordRules) {
    this.#clock = clock
    this.#network = network
    this.#random = random
    this.#rules = rules
  }

  join(member: Member): void {
    this.#members.push(member)
    this.#places.push(placeOf(member.name))
    this.#byPlace = undefined
  }

  portOf(self: Member, clock: Clock): Bulletin {
    const wait = async (holders: readonly Member[], signal: AbortSignal): Promise<void> => {
      await clock.sleep(this.#queryMs(self, holders), signal)
      this.#clock.stir(turnsAfterQuery)
    }
    const reached = (holders: readonly Member[]): Member[] =>
      holders.filter(
        (holder) => holder === self || (holder.isUp && this.#network.isConnected(self.number, holder.number)),
      )
    return {
      put: async (namespace, key, value, signal) => {
        this.counts.puts++
        const holders = this.#nearest(keyOf(namespace, key))
        await wait(holders, signal)
        return reached(holders).filter((holder) => this.#store(holder, namespace, key, value)).length
      },
      get: async (namespace, key, signal) => {
        this.counts.gets++
        const name = keyOf(namespace, key)
        const holders = this.#nearest(name)
        await wait(holders, signal)
        const answers = new Set<Uint8Array>()
        for (const holder of this.#few(reached(holders))) {
          const value = holder.answerGet(name, holder.shelf.values.get(name))
          if (value !== undefined) answers.add(value)
        }
        const values = [...answers].filter((value) => this.#isLawful(key, value, self.nowMs))
        return values.length < 2 ? values[0] : values[this.#rules.select(key, values)]
      },
      advertise: async (name, signal) => {
        const holders = this.#nearest(name)
        await wait(holders, signal)
        for (const { shelf, nowMs } of reached(holders)) {
          const adverts = shelf.adverts.get(name) ?? new Map<PeerName, number>()
          adverts.set(self.name, nowMs + advertTermMs)
          shelf.adverts.set(name, adverts)
        }
      },
      withdraw: async () => {},
      find: (name, limit, signal) => this.#find(self, name, limit, signal, wait, reached),
    }
  }

  async *#find(
    self: Member,
    name: string,
    limit: number,
    signal: AbortSignal,
    wait: (holders: readonly Member[], signal: AbortSignal) => Promise<void>,
    reached: (holders: readonly Member[]) => Member[],
  ): AsyncGenerator<PeerName> {
    this.counts.finds++
    const holders = this.#nearest(name)
    await wait(holders, signal)
    this.#clock.stir(turnsAfterFind)
    const found = new Set<PeerName>()
    for (const holder of reached(holders)) {
      const live = [...(holder.shelf.adverts.get(name) ?? [])].filter(([, untilMs]) => untilMs > self.nowMs)
      const providers = live.slice(0, providersMax).map(([peer]) => peer)
      for (const provider of holder.answerFind(name, providers)) found.add(provider)
      // kad-dht stops asking once it has k.
      if (found.size >= providersMax) break
    }
    yield* [...found].slice(0, limit)
  }

  /** A look-up ends when the nearest few that it came by have answered: not everybody who holds something is asked. */
  #few(holders: readonly Member[]): Member[] {
    const first = holders.length === 0 ? 0 : this.#random.between(0, holders.length - 1)
    return Array.from(
      { length: Math.min(answersWanted, holders.length) },
      (_, step) => holders[(first + step) % holders.length]!,
    )
  }

  /** What an honest node does with a record that it is asked to store. */
  #store({ shelf, nowMs }: Member, namespace: string, key: Uint8Array, value: Uint8Array): boolean {
    try {
      const { sequence, by } = this.#judge(key, value, nowMs)
      if (!shelf.floors.accepts(`${namespace}/${by}`, sequence, value)) throw new RangeError('below the floor')
      shelf.values.set(keyOf(namespace, key), value)
      return true
    } catch {
      this.counts.refused++
      return false
    }
  }

  #isLawful(key: Uint8Array, value: Uint8Array, nowMs: number): boolean {
    try {
      this.#judge(key, value, nowMs)
      return true
    } catch {
      this.counts.refused++
      return false
    }
  }

  /** Every node comes to the same verdict about the same bytes in the same second: production remembers it as long, too. */
  #judge(key: Uint8Array, value: Uint8Array, nowMs: number): Verdict {
    const known = this.#verdicts.get(value)
    if (
      known !== undefined &&
      nowMs < known.untilMs &&
      nowMs > known.untilMs - 2 * verdictKeptMs &&
      equals(known.key, key)
    )
      return known
    const verdict = { ...this.#rules.validate(key, value, nowMs), key, untilMs: nowMs + verdictKeptMs }
    this.#verdicts.set(value, verdict)
    return verdict
  }

  #queryMs(self: Member, holders: readonly Member[]): number {
    let sumMs = 0
    const hops = this.#random.between(1, hopsMax)
    for (let hop = 0; hop < hops; hop++) {
      const other = this.#random.pick(holders)
      sumMs += 2 * (this.#network.tripMs(self.number, other.number) ?? silentMs)
    }
    return sumMs
  }

  /** The members nearest to a key on the ring, which stands for the nearest by XOR: as evenly spread, and found by halving. */
  #nearest(key: string): Member[] {
    if (this.#members.length <= replication) return this.#members
    const ring = (this.#byPlace ??= this.#members
      .map((_, index) => index)
      .sort((left, right) => this.#places[left]! - this.#places[right]!))
    const place = placeOf(key)
    let [low, high] = [0, ring.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#places[ring[middle]!]! < place) low = middle + 1
      else high = middle
    }
    return Array.from({ length: replication }, (_, step) => this.#members[ring[(low + step) % ring.length]!]!)
  }
}

function keyOf(namespace: string, key: Uint8Array): string {
  return `${namespace}/${Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')}`
}

function placeOf(name: string): number {
  return new SeededRandom(1, name).next()
}
