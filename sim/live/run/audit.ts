/**
 * The invariants, held against live peers: when they have stopped, their ledgers are opened, and what the disks say is put to the
 * checkers that the model has. A peer that is gone for good, or has lost its disk, is asked for nothing, as is one with a vice.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { Notary } from '../../../protocols/negotiate/index.ts'
import type { Fault, FaultCode, PeerName, Statement } from '../../../protocols/wire/index.ts'
import { PeersSeen } from '../../../src/ledger/peers-seen.ts'
import { Store } from '../../../src/ledger/store.ts'
import type { JobState } from '../../../src/market/job-state.ts'
import { decodeState } from '../../../src/reactor.ts'
import { standingOf } from '../../../src/reputation/standing.ts'
import { realClock, silentLog } from '../../../src/environment.ts'
import type { CheckedPeer, CheckedWorld } from '../../checkers/checker.ts'
import { checkMesh } from '../../checkers/index.ts'
import type { LivePeer } from '../live-peer.ts'
import type { JobOutcome } from './jobs.ts'
import type { LivePlan } from './plan.ts'

export interface AuditInput {
  readonly plan: LivePlan
  readonly network: string
  readonly peers: readonly LivePeer[]
  readonly outcomes: readonly JobOutcome[]
  /** Peers that were taken away and did not come back. */
  readonly gone: ReadonlySet<number>
  readonly lastFaultMs: number
}

/** What each checker found wrong, by its name. The peers must have stopped. */
export function auditLedgers(input: AuditInput): ReadonlyMap<string, readonly string[]> {
  const { plan, peers, outcomes, lastFaultMs } = input
  const checked = peers.map((peer) => checkedPeer(peer, input))
  const byName = new Map(checked.map((peer) => [peer.name, peer]))
  const world: CheckedWorld = {
    peers: checked,
    jobs: outcomes.flatMap((outcome) => {
      const requester = checked[outcome.plan.requester]!
      const stored = outcome.id === null ? undefined : requester.disk.states.get(`job/${outcome.id}`)
      if (stored === undefined) return []
      const { terms } = stored.state as JobState
      return [{ requester, terms, submittedMs: outcome.askedMs, submitted: true }]
    }),
    scenario: {
      faultsUntilMs: plan.faults.length,
      workload: { cancelShare: plan.scenario.workload.cancelShare },
    },
    lastFaultMs,
    said: new Map(),
    peerOf: (name) => byName.get(name),
    numberOf: (name) => byName.get(name)?.number ?? -1,
  }
  return checkMesh(world)
}

function checkedPeer(peer: LivePeer, { network, outcomes, gone }: AuditInput): CheckedPeer {
  const notary: Notary = { signer: peer.identity.signer, network }
  const disk = readLedger(join(peer.folder, 'ledger.db'))
  const jobEvents = new Map(
    outcomes
      .filter(({ plan, id, endedMs }) => plan.requester === peer.index && id !== null && endedMs !== null)
      .map(({ id, ending, code, endedMs }) => {
        const event = { stage: 'ended', ending: { outcome: ending, code }, document: null, amountMicro: 0 } as const
        return [id!, [{ atMs: endedMs!, event: event as never }]] as const
      }),
  )
  return {
    number: peer.index,
    name: peer.name,
    vice: peer.vice ?? (gone.has(peer.index) ? 'gone' : peer.hasLostDisk ? 'without its disk' : null),
    frozenMs: peer.frozenMs,
    plan: { notary, lending: peer.offer },
    disk,
    jobEvents,
    leaseEvents: [],
    blamed: disk.blamed,
    standing: (of) => standingOf(disk.seen.get(of)),
  }
}

interface ReadLedger {
  readonly states: Map<string, { readonly kind: string; readonly state: unknown }>
  readonly statements: { readonly machine: string; readonly statement: Statement }[]
  readonly seen: Map<PeerName, NonNullable<ReturnType<PeersSeen['get']>>>
  readonly blamed: { readonly peer: PeerName; readonly fault: Pick<Fault, 'code' | 'message'> }[]
}

function readLedger(path: string): ReadLedger {
  const result: ReadLedger = { states: new Map(), statements: [], seen: new Map(), blamed: [] }
  if (!existsSync(path)) return result
  const db = new DatabaseSync(path)
  try {
    for (const { kind, id, state } of rows(db, 'SELECT kind, id, state FROM machine_states ORDER BY rowid'))
      result.states.set(`${kind as string}/${id as string}`, {
        kind: kind as string,
        state: decodeState(state as Uint8Array),
      })
    for (const { kind, machine, signer, envelope } of rows(
      db,
      'SELECT kind, machine, signer, envelope FROM statements ORDER BY rowid',
    ))
      result.statements.push({
        machine: machine as string,
        statement: { kind, by: signer, envelope } as Statement,
      })
    const seen = new PeersSeen(Store.over(db, path, realClock, silentLog))
    for (const { peer } of rows(db, 'SELECT peer FROM peers_seen')) {
      const sight = seen.get(peer as string)!
      result.seen.set(peer as string, sight)
      if (sight.fault > 0) result.blamed.push({ peer: peer as string, fault: faultOf(sight.evidence) })
    }
  } finally {
    db.close()
  }
  return result
}

function rows(db: DatabaseSync, sql: string): Record<string, unknown>[] {
  return db.prepare(sql).all()
}

/** As src/node.ts writes it down: the code, a colon, the message. */
function faultOf(evidence: string): Pick<Fault, 'code' | 'message'> {
  const at = evidence.indexOf(': ')
  return { code: evidence.slice(0, Math.max(0, at)) as FaultCode, message: evidence.slice(at + 2) }
}
