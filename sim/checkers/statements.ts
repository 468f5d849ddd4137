/** What both sides' disks say, opened once. */
import { openAward, leaseIdOf, type Award } from '../../protocols/negotiate/index.ts'
import {
  openCountersignature,
  openReceipt,
  type Countersignature,
  type Receipt,
} from '../../protocols/receipt/index.ts'
import type { Signed } from '../../protocols/wire/index.ts'
import type { ModelPeer } from '../model/peer.ts'

export interface Books {
  readonly awards: ReadonlyMap<string, Signed<Award>>
  readonly commits: ReadonlySet<string>
  /** By lease, in the order in which they were written. */
  readonly receipts: ReadonlyMap<string, readonly Signed<Receipt>[]>
  readonly countersignatures: ReadonlyMap<string, readonly Signed<Countersignature>[]>
}

/** Opened once a disk: several checkers look into the same books, and opening them costs more than looking. */
const opened = new WeakMap<ModelPeer['disk'], Map<string, Books>>()

/** The statements on a peer's disk, as requester (`job`) or as provider (`lease`). Asked for when the life is over. */
export function booksOf(peer: ModelPeer, side: 'job' | 'lease'): Books {
  const known = opened.get(peer.disk) ?? new Map<string, Books>()
  opened.set(peer.disk, known)
  const books = known.get(side) ?? read(peer, side)
  known.set(side, books)
  return books
}

function read(peer: ModelPeer, side: 'job' | 'lease'): Books {
  const awards = new Map<string, Signed<Award>>()
  const commits = new Set<string>()
  const receipts = new Map<string, Signed<Receipt>[]>()
  const countersignatures = new Map<string, Signed<Countersignature>[]>()
  const add = <Item>(map: Map<string, Item[]>, lease: string, item: Item): void =>
    void map.set(lease, [...(map.get(lease) ?? []), item])
  for (const { machine, statement } of peer.disk.statements) {
    if (!machine.startsWith(`${side}/`)) continue
    const { kind, envelope } = statement
    if (kind === 'award') awards.set(leaseIdOf(envelope), openAward(peer.notary, envelope))
    if (kind === 'commit') commits.add(Buffer.from(envelope).toString('base64'))
    if (kind === 'receipt') {
      const receipt = openReceipt(peer.notary, envelope)
      add(receipts, receipt.body.lease, receipt)
    }
    if (kind === 'countersignature') {
      const signed = openCountersignature(peer.notary, envelope)
      add(countersignatures, signed.body.lease, signed)
    }
  }
  return { awards, commits, receipts, countersignatures }
}
