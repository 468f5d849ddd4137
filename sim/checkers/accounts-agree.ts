/**
 * Settled accounts: both sides hold the same chain of statements, no lease is counted twice in it, and what the one has earned by it
 * the other owes. When all is quiet nothing is left open between honest peers but what they dispute.
 */
import { equals } from 'uint8arrays'

import { openAgreed, type SettleState } from '../../protocols/settle/index.ts'
import type { ModelPeer } from '../model/peer.ts'
import type { World } from '../model/world.ts'
import { honest, type Checker } from './checker.ts'

export const accountsAgree: Checker = {
  name: 'accounts-agree',
  atEnd(world) {
    if (!world.settles) return []
    const wrong: string[] = []
    for (const peer of honest(world)) {
      for (const { peer: name, unit } of peer.accounts?.books.partners() ?? []) {
        const other = world.peerOf(name)
        if (other === undefined || other.vice !== null || other.number < peer.number) continue
        wrong.push(
          ...between(world, peer, other, unit).map((what) => `peers ${peer.number} and ${other.number}: ${what}`),
        )
      }
    }
    return wrong
  },
}

function between(world: World, one: ModelPeer, other: ModelPeer, unit: string): string[] {
  const wrong: string[] = []
  const [left, right] = [one.accounts!.books, other.accounts!.books]
  const taken = new Map<string, number>()
  const disputed = new Set<string>()
  for (let number = 1; ; number++) {
    const [mine, theirs] = [left.agreed(other.name, unit, number), right.agreed(one.name, unit, number)]
    if (mine === undefined && theirs === undefined) break
    if (mine === undefined || theirs === undefined || !equals(mine.statement, theirs.statement)) {
      wrong.push(`only one of them has statement ${number}, or they have two`)
      break
    }
    const { statement } = openAgreed(one.plan.notary, mine)
    disputed.clear()
    for (const { lease } of statement.body.disputed) disputed.add(lease)
    for (const { lease, amountMicro, settledMicro } of statement.body.entries) {
      if (settledMicro !== (taken.get(lease) ?? 0))
        wrong.push(
          `statement ${number} takes lease ${lease.slice(0, 6)} in from ${settledMicro}, where ${taken.get(lease) ?? 0} was settled`,
        )
      taken.set(lease, amountMicro)
    }
  }
  for (const book of left.totalsWith(other.name, unit)) {
    const held = [book.held, right.totalsWith(one.name, unit).find(({ lease }) => lease === book.lease)?.held ?? null]
    const [mine, theirs] = held.map((side) => side?.amountMicro ?? 0) as [number, number]
    if (disputed.has(book.lease)) continue
    if (mine !== theirs || mine !== (taken.get(book.lease) ?? 0))
      wrong.push(
        `lease ${book.lease.slice(0, 6)} is settled at ${taken.get(book.lease) ?? 0}, held at ${mine} and ${theirs} ` +
          `(${stateOf(one, other)}, ${stateOf(other, one)})`,
      )
  }
  return wrong
}

function stateOf(peer: ModelPeer, other: ModelPeer): string {
  const states: SettleState[] = peer.accounts!.desk.accounts()
  return states.find((state) => state.other === other.name)?.at ?? 'no account'
}
