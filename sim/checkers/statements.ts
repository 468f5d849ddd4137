/** What both sides' disks say, opened once. */
import { openAward, leaseIdOf, type Award } from '../../protocols/negotiate/index.ts'
import {
  openCountersignature,
  openReceipt,
  type Countersignature,
  type Receipt,
} from '../../protocols/receipt/index.ts'
import type { PeerName, Signed } from '../../protocols/wire/index.ts'
import type { CheckedDisk, CheckedPeer, CheckedWorld } from './checker.ts'

export interface Books {
  readonly awards: ReadonlyMap<string, Signed<Award>>
  /** By lease, in the order in which they were written. */
  readonly receipts: ReadonlyMap<string, readonly Signed<Receipt>[]>
  readonly countersignatures: ReadonlyMap<string, readonly Signed<Countersignature>[]>
}

export type Side = 'job' | 'lease'

/** Opened once a disk: several checkers look into the same books, and opening them costs more than looking. */
const opened = new WeakMap<CheckedDisk, Map<Side, Books>>()

/** The statements on a peer's disk, as requester (`job`) or as provider (`lease`). Asked for when the life is over. */
export function booksOf(world: CheckedWorld, peer: CheckedPeer, side: Side): Books {
  let known = opened.get(peer.disk)
  if (known === undefined) opened.set(peer.disk, (known = new Map<Side, Books>()))
  let books = known.get(side)
  if (books === undefined) known.set(side, (books = read(world, peer, side)))
  return books
}

function read(world: CheckedWorld, peer: CheckedPeer, side: Side): Books {
  const awards = new Map<string, Signed<Award>>()
  const receipts = new Map<string, Signed<Receipt>[]>()
  const countersignatures = new Map<string, Signed<Countersignature>[]>()
  const add = <Item>(map: Map<string, Item[]>, lease: string, item: Item): void => {
    const items = map.get(lease)
    if (items === undefined) map.set(lease, [item])
    else items.push(item)
  }
  const { notary } = peer.plan
  for (const stored of peer.disk.statements) {
    if (sideOf(stored, peer.name) !== side) continue
    const { kind, envelope } = stored.statement
    if (kind === 'award') {
      awards.set(leaseIdOf(envelope), (world.said.get(envelope) as Signed<Award>) ?? openAward(notary, envelope))
    } else if (kind === 'receipt') {
      const receipt = (world.said.get(envelope) as Signed<Receipt>) ?? openReceipt(notary, envelope)
      add(receipts, receipt.body.lease, receipt)
    } else if (kind === 'countersignature') {
      const signed = (world.said.get(envelope) as Signed<Countersignature>) ?? openCountersignature(notary, envelope)
      add(countersignatures, signed.body.lease, signed)
    }
  }
  return { awards, receipts, countersignatures }
}

/**
 * A ledger keeps a statement once, under the machine that was the first to record it: what came by settling first is the lease's or
 * the job's all the same. Whoever signs a receipt works, whoever countersigns it pays.
 */
function sideOf({ machine, statement: { kind, by } }: CheckedDisk['statements'][number], self: PeerName): Side {
  if (!machine.startsWith('settle')) return machine.startsWith('job') ? 'job' : 'lease'
  return (by === self) === (kind === 'receipt') ? 'lease' : 'job'
}

/** The largest amount of a lease for which there is a countersignature here: what these books say is owed or earned. */
export function bothSigned(books: Books, lease: string): { readonly sequence: number; readonly amountMicro: number } {
  const signed = new Set((books.countersignatures.get(lease) ?? []).map(({ body }) => body.sequence))
  let best = { sequence: 0, amountMicro: 0 }
  for (const { body } of books.receipts.get(lease) ?? []) {
    if (signed.has(body.sequence) && body.sequence > best.sequence) best = body
  }
  return best
}
