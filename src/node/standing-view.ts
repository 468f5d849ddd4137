/** What is thought of a peer, for a person: which, and why. */
import { formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import { ControlError, type StandingView } from '../control/api.ts'
import { petnameOf } from '../host/index.ts'
import { decay, meanStartMs, there } from '../reputation/experience.ts'
import { looksEnough, type Memory, type Reputation } from '../reputation/reputation.ts'
import { peerView } from './views.ts'

export interface WhyDeps {
  readonly reputation: Reputation
  readonly memory: Pick<Memory, 'of'>
  readonly nowMs: () => number
}

export function standingView({ reputation, memory, nowMs }: WhyDeps, peer: PeerName): StandingView {
  const { standing, familiarity, terms, ways, coolDown, provenUntilMs } = reputation.assess(peer)
  const uptime = reputation.uptime(peer)
  return {
    v: 1,
    ...peerView(peer),
    standing: rounded(standing),
    familiarity,
    terms: terms.map((term) => ({ ...term, amount: rounded(term.amount) })),
    experience: [...memory.of(peer)]
      .filter(([doing]) => doing !== there)
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .map(([doing, row]) => {
        const seen = decay(row, nowMs())
        return {
          doing,
          success: rounded(seen.success),
          refused: rounded(seen.refused),
          noShow: rounded(seen.noShow),
          fault: rounded(seen.fault),
          paid: formatMicro(Math.round(seen.paidMicro)),
          startMs: whole(meanStartMs(seen)),
          evidence: seen.evidence,
        }
      }),
    references: ways.map(({ by, jobs, amountMicro }) => ({
      ...peerView(by),
      jobs: rounded(jobs),
      signed: formatMicro(Math.round(amountMicro)),
    })),
    coolDown: coolDown === undefined ? null : { ...coolDown, untilMs: Math.round(coolDown.untilMs) },
    provenUntilMs: provenUntilMs ?? null,
    uptime:
      uptime === undefined
        ? null
        : { share: rounded(uptime.share), looks: Math.round(uptime.looks), enough: uptime.looks >= looksEnough },
    trustInStrangers: rounded(reputation.trustInStrangers()),
  }
}

/** The one peer that is meant: by its id, the beginning or the end of it, or its petname. Throws a ControlError. */
export function peerMeant(wanted: string, peers: readonly PeerName[]): PeerName {
  const exact = peers.find((peer) => peer === wanted)
  if (exact !== undefined) return exact
  const found = peers.filter((peer) => isMeant(wanted, peer))
  const [first] = found
  if (first !== undefined && found.length === 1) return first
  throw new ControlError({
    code: first === undefined ? 'NOT_FOUND' : 'AMBIGUOUS',
    what: first === undefined ? `no peer ${wanted} is known` : `${found.length} peers fit ${wanted}`,
    why: 'a peer is named by its petname, its id, or the beginning or the end of its id',
    cure: 'pleach peers',
    exit: 2,
  })
}

/** What is shorter fits too many. */
const charsMin = 4

function isMeant(wanted: string, peer: PeerName): boolean {
  if (petnameOf(peer) === wanted) return true
  return wanted.length >= charsMin && (peer.startsWith(wanted) || peer.endsWith(wanted))
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}

function whole(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value)
}
