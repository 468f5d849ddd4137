/** What this peer thinks of others, put together: what it saw, what they show, what was proven, and whether they are there. */
import { createReferences, referencesMax } from '../../protocols/references/index.ts'
import type { Fault, Notary, PeerName, Streams } from '../../protocols/wire/index.ts'
import type { StandingView } from '../control/api.ts'
import type { Clock, Log } from '../environment.ts'
import { Experiences } from '../ledger/experiences.ts'
import type { Proofs } from '../ledger/proofs.ts'
import type { Receipts } from '../ledger/receipts.ts'
import type { Store } from '../ledger/store.ts'
import type { JobState } from '../market/job-state.ts'
import { Reputation } from '../reputation/reputation.ts'
import { ShownReferences } from '../reputation/shown-references.ts'
import { Introductions } from './introductions.ts'
import { Looks } from './looks.ts'
import { Outcomes } from './outcomes.ts'
import { peerMeant, standingView } from './standing-view.ts'

export interface StandingDeps {
  readonly notary: Notary
  readonly ledger: Store
  readonly proofs: Proofs
  readonly receipts: Receipts
  /** Amounts in another unit of account are not compared. */
  readonly unit: string
  readonly clock: Clock
  readonly log: Log
}

export interface Standings {
  readonly reputation: Reputation
  readonly outcomes: Outcomes
  /** Once there is a network. */
  meet(network: MeetDeps): Meeting
}

export interface MeetDeps {
  readonly streams: Streams
  /** Whether a peer gives a sign of itself, and of whom we have any. */
  readonly index: { isAlive(peer: PeerName): boolean; alive(): readonly { readonly peer: PeerName }[] }
  readonly connected: () => readonly PeerName[]
  readonly onFault: (peer: PeerName, fault: Fault) => void
}

export interface Meeting {
  readonly introductions: Introductions
  /** What is thought of a peer that is meant, once it was asked for whom it worked. */
  why(wanted: string, signal: AbortSignal): Promise<StandingView>
  serve(): Promise<void>
  /** Looks who is there, from now on; what it returns ends that. */
  begin(): () => void
}

/** `stateOf`: of a job of ours that has not long been over. */
export function createStandings(deps: StandingDeps, stateOf: (job: string) => JobState | undefined): Standings {
  const { notary, ledger, proofs, receipts, unit, clock, log } = deps
  const experiences = new Experiences(ledger, log)
  const references = new ShownReferences(unit)
  const reputation = new Reputation(
    {
      of: (peer) => experiences.of(peer),
      change: (peer, doing, next) => experiences.change(peer, doing, next),
      provenMs: (peer) => proofs.provenMs(peer),
    },
    references,
    () => clock.nowMs(),
  )
  const outcomes = new Outcomes({ self: notary.signer.peer, reputation, stateOf, nowMs: () => clock.nowMs() })
  return {
    reputation,
    outcomes,
    meet({ streams, index, connected, onFault }) {
      const service = createReferences({
        streams,
        timekeeper: clock,
        notary,
        shown: () => receipts.references(referencesMax),
      })
      const introductions = new Introductions({
        clock,
        log,
        reputation,
        references,
        ask: async (peer, signal) => service.ask(peer, signal),
        onFault,
      })
      const looks = new Looks({ clock, index, outcomes, known: (most) => experiences.lookedFor(most) })
      return {
        introductions,
        async why(wanted, signal) {
          const peer = peerMeant(wanted, [...new Set([...connected(), ...experiences.peers()])])
          if (connected().includes(peer)) await introductions.ask(peer, signal)
          return standingView({ reputation, memory: experiences, nowMs: () => clock.nowMs() }, peer)
        },
        serve: async () => service.serve(),
        begin: () => {
          looks.begin()
          return () => looks.stop()
        },
      }
    },
  }
}
