/**
 * Judges records of the DHT by the rules of their namespaces.
 *
 * kad-dht looks validators up in a plain object, so a key `/constructor/x` finds `Object.prototype.constructor`, which
 * "accepts" anything. Every such name, and libp2p's own `pk`, therefore has an entry here that refuses.
 */
import type { KadDHTInit } from '@libp2p/kad-dht'
import { concat, fromString, toString } from 'uint8arrays'

import type { RecordRules } from '../../protocols/wire/bulletin.ts'
import { Fault } from '../../protocols/wire/fault.ts'
import { sha256 } from '../../protocols/wire/hash.ts'
import type { PeerName } from '../../protocols/wire/peer.ts'
import type { Clock } from '../environment.ts'

export interface Judgement {
  readonly namespace: string
  readonly sequence: number
  readonly by: PeerName
  /** SHA-256 of the value. */
  readonly hash: Uint8Array
}

export interface RecordJudge {
  /** Whose record this is and which; throws a Fault when it is not lawful. `path` is the key as the DHT has it. */
  judge(path: Uint8Array, value: Uint8Array): Judgement
  /** The index of the best of several lawful values. */
  select(path: Uint8Array, values: readonly Uint8Array[]): number
  /** The only peer whose record can be at this key, if the namespace says so. */
  ownerOf(path: Uint8Array): PeerName | undefined
  readonly validators: NonNullable<KadDHTInit['validators']>
  readonly selectors: NonNullable<KadDHTInit['selectors']>
}

const namespacePattern = /^[a-z][a-z0-9-]{0,31}$/
/** Longest key after its namespace. A peer's public key has 32 bytes, a hash too. */
const keyBytesMax = 128
const slash = 0x2f
/** kad-dht judges a record and then stores it, which judges again: so many verdicts are remembered, for so long. */
const verdictsKeptMax = 64
const verdictKeptMs = 1000

/** `/<namespace>/<key>`, the form in which the DHT has keys. */
export function pathOf(namespace: string, key: Uint8Array): Uint8Array {
  return concat([fromString(`/${namespace}/`), key])
}

export function createRecordJudge(rules: readonly RecordRules[], recordBytesMax: number, clock: Clock): RecordJudge {
  const byNamespace = new Map<string, RecordRules>()
  for (const rule of rules) {
    if (!namespacePattern.test(rule.namespace)) throw new RangeError(`${rule.namespace} cannot be a namespace`)
    if (byNamespace.has(rule.namespace)) throw new RangeError(`two rules for the namespace ${rule.namespace}`)
    byNamespace.set(rule.namespace, rule)
  }
  const verdicts = new Map<string, { readonly judgement: Judgement; readonly untilMs: number }>()

  const rulesFor = (path: Uint8Array): { rule: RecordRules; key: Uint8Array } => {
    const end = path[0] === slash ? path.indexOf(slash, 1) : -1
    const namespace = end < 0 ? '' : toString(path.subarray(1, end), 'latin1')
    const rule = byNamespace.get(namespace)
    if (rule === undefined) throw new Fault('FIELD_INVALID', 'no such namespace', { namespace: namespace.slice(0, 32) })
    const key = path.subarray(end + 1)
    if (key.byteLength > keyBytesMax)
      throw new Fault('FIELD_INVALID', 'the key is too long', { bytes: key.byteLength, keyBytesMax })
    return { rule, key }
  }

  const judge = (path: Uint8Array, value: Uint8Array): Judgement => {
    const { rule, key } = rulesFor(path)
    const bytesMax = Math.min(rule.valueBytesMax, recordBytesMax)
    if (value.byteLength > bytesMax) {
      throw new Fault('FRAME_TOO_LARGE', 'the record is over the cap', { bytes: value.byteLength, bytesMax })
    }
    const hash = sha256(value)
    const name = `${toString(path, 'latin1')}\0${toString(hash, 'latin1')}`
    const nowMs = clock.monotonicMs()
    const known = verdicts.get(name)
    if (known !== undefined && known.untilMs > nowMs) return known.judgement
    const { sequence, by } = rule.validate(key, value, clock.nowMs())
    const judgement = { namespace: rule.namespace, sequence, by, hash }
    verdicts.delete(name)
    verdicts.set(name, { judgement, untilMs: nowMs + verdictKeptMs })
    if (verdicts.size > verdictsKeptMax) verdicts.delete(verdicts.keys().next().value!)
    return judgement
  }

  const select = (path: Uint8Array, values: readonly Uint8Array[]): number => {
    const { rule, key } = rulesFor(path)
    return rule.select(key, values)
  }

  const ownerOf = (path: Uint8Array): PeerName | undefined => {
    const { rule, key } = rulesFor(path)
    return rule.ownerOf?.(key)
  }

  // The keys of an object made by fromEntries are its own, `__proto__` too.
  const refused = [...Object.getOwnPropertyNames(Object.prototype), 'pk']
  const refuse = (): never => {
    throw new Fault('FIELD_INVALID', 'no such namespace')
  }
  return {
    judge,
    select,
    ownerOf,
    validators: Object.fromEntries([
      ...refused.map((name) => [name, refuse] as const),
      ...[...byNamespace.keys()].map(
        (name) => [name, (path: Uint8Array, value: Uint8Array) => void judge(path, value)] as const,
      ),
    ]),
    selectors: Object.fromEntries([
      ...refused.map((name) => [name, refuse] as const),
      ...[...byNamespace.keys()].map((name) => [name, select] as const),
    ]),
  }
}
