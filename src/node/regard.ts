/** What the market is told of a peer: its standing, its record, and where it is. */
import type { KnownCapability } from '../../protocols/capability/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Acquaint, Acquaintance } from '../market/rank.ts'
import { checkShareOf, type Reputation } from '../reputation/reputation.ts'

export interface RegardDeps {
  readonly reputation: Pick<Reputation, 'assess'>
  readonly index: { get(peer: PeerName): KnownCapability | undefined }
  readonly host: {
    connections(): readonly { readonly peer: PeerName; readonly roundTripMs: number | undefined }[]
    houseOf(peer: PeerName): string | undefined
  }
  readonly operatorOf: (peer: PeerName) => string | undefined
  /** In a network of one house it says nothing. */
  readonly isPublic: boolean
}

export function acquaintWith({ reputation, index, host, operatorOf, isPublic }: RegardDeps): Acquaint {
  return (peer, runtime) => ({
    ...regardOf(reputation, peer, runtime),
    rttMs: host.connections().find((connection) => connection.peer === peer)?.roundTripMs,
    evidence: index.get(peer)?.capability.compute?.cpuMilli.evidence,
    house: isPublic ? host.houseOf(peer) : undefined,
    operator: operatorOf(peer) ?? '',
  })
}

export function regardOf(
  reputation: Pick<Reputation, 'assess'>,
  peer: PeerName,
  runtime?: string,
): Pick<Acquaintance, 'standing' | 'familiarity' | 'jobs' | 'checkShare' | 'cooling' | 'startMs'> {
  const { standing, familiarity, jobs, coolDown, startMs } = reputation.assess(peer, runtime)
  return { standing, familiarity, jobs, checkShare: checkShareOf(jobs), cooling: coolDown?.because, startMs }
}
