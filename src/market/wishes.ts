/** What a requester wants of a provider beside what a bid asks for: its own affair, and nobody else's to judge. Pure. */
import type { PeerName } from '../../protocols/wire/index.ts'

export interface Wishes {
  /** Null: any. */
  readonly rttMsMax: number | null
  readonly standingMin: number
  /** None: everybody. */
  readonly allow: readonly PeerName[]
  readonly deny: readonly PeerName[]
  /** What the places of a gang must not share. */
  readonly spread: 'none' | 'subnet' | 'operator'
}

/** Below this a peer is not awarded anything, and nothing is offered to it. */
export const standingMin = 0.1

export const noWish: Wishes = { rttMsMax: null, standingMin, allow: [], deny: [], spread: 'none' }

export type Objection = 'allow' | 'deny' | 'standing' | 'cooling' | 'rtt'

/** What is known of the peer that wishes can be held against. */
type Known = {
  readonly standing: number
  readonly rttMs: number | undefined
  readonly cooling: 'noShow' | 'fault' | undefined
}

/** All that speaks against a provider, in the order in which it is shown. What is not known is no objection. */
export function objectionsTo(
  wishes: Wishes,
  peer: PeerName,
  { standing, rttMs, cooling }: Known,
): { readonly objection: Objection; readonly wanted: number | string; readonly has: number | string }[] {
  const objections: ReturnType<typeof objectionsTo> = []
  if (wishes.allow.length > 0 && !wishes.allow.includes(peer))
    objections.push({ objection: 'allow', wanted: wishes.allow.length, has: peer })
  if (wishes.deny.includes(peer)) objections.push({ objection: 'deny', wanted: '', has: peer })
  if (standing < Math.max(standingMin, wishes.standingMin))
    objections.push({ objection: 'standing', wanted: Math.max(standingMin, wishes.standingMin), has: standing })
  // Who did not come may have been cut off, and is better than nobody; who broke a protocol is let alone.
  if (cooling === 'fault') objections.push({ objection: 'cooling', wanted: '', has: cooling })
  if (wishes.rttMsMax !== null && rttMs !== undefined && rttMs > wishes.rttMsMax)
    objections.push({ objection: 'rtt', wanted: wishes.rttMsMax, has: Math.round(rttMs) })
  return objections
}
