/** An invariant of the mesh. It looks at every message that is said, at the end of a life, or both; each has a file of its own. */
import type { Carry } from '../../src/market/carry.ts'
import type { ModelPeer } from '../model/peer.ts'
import type { World } from '../model/world.ts'

export interface Violation {
  readonly checker: string
  readonly what: string
  /** Milliseconds since the life began. */
  readonly atMs: number
}

export interface Checker {
  readonly name: string
  /** Before a message of an honest peer leaves. What is wrong with that, if anything is. */
  readonly onSaid?: (peer: ModelPeer, carry: Carry) => string | undefined
  /** Once everything is over. */
  readonly atEnd?: (world: World) => string[]
}

export function honest(world: World): ModelPeer[] {
  return world.peers.filter(({ vice }) => vice === null)
}

/** For sentences: the end of a long name. */
export function tail(name: string): string {
  return name.slice(-5)
}
