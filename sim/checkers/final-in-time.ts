/** Within a lease plus ten seconds after the last fault everything is final: nobody waits for ever, nobody waits for nothing. */
import { countersignWithinMs } from '../../protocols/receipt/index.ts'
import { honest, tail, type MeshChecker } from './checker.ts'

const graceMs = 10_000

export const finalInTime: MeshChecker = {
  name: 'final-in-time',
  atEnd(world) {
    const wrong: string[] = []
    const lastFaultMs = world.lastFaultMs
    for (const { requester, terms, submittedMs } of world.jobs) {
      if (requester.vice !== null) continue
      const { reclaimMs, collectWithinMs, requirements, bidUntilMs, bidFromMs } = terms
      // The longest that a lease can be: it is bid for, worked, reclaimed or collected, and paid.
      const leaseMs =
        bidUntilMs - bidFromMs + requirements.wallMsMax + reclaimMs + collectWithinMs + countersignWithinMs
      // Every dishonest provider may cost a lease of its own.
      const tries = world.peers.some(({ vice }) => vice !== null) ? terms.retriesMax + 1 : 1
      const untilMs = Math.max(lastFaultMs, submittedMs) + tries * leaseMs + graceMs
      const events = requester.jobEvents.get(terms.job) ?? []
      const ended = events.find(({ event }) => event.stage === 'ended')
      if (ended !== undefined && ended.atMs > untilMs)
        wrong.push(`job ${tail(terms.job)} ended ${Math.round((ended.atMs - untilMs) / 1000)} s too late`)
    }
    for (const peer of honest(world)) {
      for (const { atMs, event } of peer.leaseEvents) {
        if (event.stage !== 'ended') continue
        const began = peer.leaseEvents.find(
          (other) => other.event.stage === 'leased' && other.event.lease === event.lease,
        )
        const untilMs = Math.max(lastFaultMs, began?.atMs ?? 0) + leaseMsMax + graceMs
        if (atMs > untilMs) wrong.push(`lease ${event.lease.slice(0, 6)} ended ${atMs - untilMs} ms too late`)
      }
    }
    return wrong
  },
}

/** A minute of work, the wait for START, for RESULT_SEEN and for two countersignatures. */
const leaseMsMax = 60_000 + 3 * 15_000 + 2 * countersignWithinMs
