/**
 * What a requester commits to one provider: the ceilings of its open leases and awards, each the most that it can come to. It pays for
 * work that was done and nothing else, since receipts state what was used and come after it; so this bounds what could be signed for
 * before a provider has shown any result.
 */
import type { Award } from '../../protocols/negotiate/index.ts'
import type { Micro, PeerName } from '../../protocols/wire/index.ts'
import { placesOf, type JobState } from './job-state.ts'
import { liveWork } from './slot-state.ts'

/** How much may be committed to a provider. */
export type CommitCap = (provider: PeerName, unit: string) => bigint

export function committedTo(states: Iterable<JobState>, provider: PeerName, unit: string): bigint {
  let sum = 0n
  for (const state of states) {
    for (const { body } of awardsOf(state))
      if (body.provider === provider && body.unit === unit) sum += BigInt(body.ceilingMicro)
  }
  return sum
}

/** One lease is the owner's own word, by its ceiling; what comes on top of it must fit. */
export function mayCommit(committedMicro: bigint, ceilingMicro: Micro, capMicro: bigint): boolean {
  return committedMicro === 0n || committedMicro + BigInt(ceilingMicro) <= capMicro
}

function* awardsOf(state: JobState): Iterable<{ readonly body: Award }> {
  const { hunt } = state
  if (hunt?.at === 'awarding')
    for (const slot of hunt.gang.slots) yield slot.at === 'leased' ? slot.lease.award : slot.award
  for (const place of placesOf(state)) {
    const work = liveWork(place)
    if (work !== null) yield work.lease.award
  }
}
