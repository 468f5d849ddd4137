/**
 * The invariants, held against live peers: what their disks say is put to the checkers that the model has. A peer with a vice, one that
 * is gone for good, and one that has lost its disk are asked for nothing.
 */
import type { Notary } from '../../../protocols/negotiate/index.ts'
import type { Fault, FaultCode } from '../../../protocols/wire/fault.ts'
import type { PeerName, Statement } from '../../../protocols/wire/index.ts'
import type { JobState } from '../../../src/market/job-state.ts'
import { decodeState } from '../../../src/state-form.ts'
import type { Doing, Experience } from '../../../src/reputation/experience.ts'
import { standingOf, termsOf } from '../../../src/reputation/standing.ts'
import type { CheckedPeer, CheckedWorld } from '../../checkers/checker.ts'
import { checkMesh } from '../../checkers/index.ts'
import type { JobOutcome } from './jobs.ts'
import type { LedgerOfPeer } from './ledgers.ts'
import type { LivePlan } from './plan.ts'

export interface AuditInput {
  readonly plan: LivePlan
  /** Opens statements; whose it is matters to nobody. */
  readonly notary: Notary
  /** Of all peers, by their numbers. */
  readonly ledgers: readonly LedgerOfPeer[]
  readonly outcomes: readonly JobOutcome[]
  /** Peers that were taken away and did not come back. */
  readonly gone: ReadonlySet<number>
  readonly lastFaultMs: number
}

/** What each checker found wrong, by its name. */
export function auditLedgers(input: AuditInput): ReadonlyMap<string, readonly string[]> {
  const { plan, ledgers, outcomes, lastFaultMs } = input
  const peers = ledgers.map((ledger) => checkedPeer(ledger, input))
  const byName = new Map(peers.map((peer) => [peer.name, peer]))
  const world: CheckedWorld = {
    peers,
    jobs: outcomes.flatMap(({ id, plan: { requester: index }, askedMs }) => {
      const requester = peers[index]!
      const stored = id === null ? undefined : requester.disk.states.get(`job/${id}`)
      if (stored === undefined) return []
      return [{ requester, terms: (stored.state as JobState).terms, submittedMs: askedMs, submitted: true }]
    }),
    scenario: {
      faultsUntilMs: plan.faults.length === 0 ? 0 : 1,
      workload: { cancelShare: plan.scenario.workload.cancelShare },
    },
    lastFaultMs,
    said: new Map(),
    peerOf: (name) => byName.get(name),
    numberOf: (name) => byName.get(name)?.number ?? -1,
  }
  return checkMesh(world)
}

function checkedPeer(ledger: LedgerOfPeer, { notary, outcomes, gone }: AuditInput): CheckedPeer {
  const { index, name, vice, frozenMs, cpuHourMicro } = ledger
  const seen = new Map<PeerName, Map<Doing, Experience>>()
  for (const { peer, doing, seen: one } of ledger.seen)
    seen.set(peer, (seen.get(peer) ?? new Map<Doing, Experience>()).set(doing, one))
  return {
    number: index,
    name,
    vice: vice ?? (gone.has(index) ? 'gone' : null),
    frozenMs,
    plan: { notary, lending: cpuHourMicro === null ? null : { facts: { price: { cpuHourMicro } } } },
    disk: {
      states: new Map(
        ledger.machines.map(({ kind, id, state }) => [`${kind}/${id}`, { kind, state: decodeState(state) }]),
      ),
      statements: ledger.statements.map(({ machine, kind, signer: by, envelope }) => ({
        machine,
        statement: { kind, by, envelope } as Statement,
      })),
      seen,
    },
    jobEvents: new Map(
      outcomes
        .filter(({ plan, id, ending }) => plan.requester === index && id !== null && ending !== 'not over')
        .map(({ id, ending, code, endedMs }) => [
          id!,
          [
            {
              atMs: endedMs!,
              event: {
                stage: 'ended',
                ending: { outcome: ending as 'paid', code },
                document: null,
                amountMicro: 0,
              },
            },
          ],
        ]),
    ),
    leaseEvents: [],
    blamed: ledger.seen
      .filter(({ seen: { fault } }) => fault > 0)
      .map(({ peer, seen: { evidence } }) => ({ peer, fault: faultOf(evidence.at(-1) ?? '') })),
    // As it was when it was written down: nothing decays before that.
    standing: (of) => standingOf(termsOf(seen.get(of) ?? new Map(), undefined, 0, 0)),
  }
}

/** As src/node/outcomes.ts writes it down: the code, a colon, the message. */
function faultOf(evidence: string): Pick<Fault, 'code' | 'message'> {
  const at = evidence.indexOf(': ')
  return { code: evidence.slice(0, Math.max(0, at)) as FaultCode, message: evidence.slice(at + 2) }
}
