/**
 * Whether an announced record is passed on: accept, ignore, reject, or one of far too many; cheapest first, the signature last. Only what no
 * honest peer can have passed on is rejected.
 *
 * Pure: the caller brings the time and the floor. Holds a bounded memory of authors.
 */
import { lateness, peekCapability, type Capability } from '../capability/index.ts'
import { Fault, type PeerName, type Signed, type Verdict } from '../wire/index.ts'
import { recordWindowMs, recordsPerAuthorMax, recordsToleratedPerAuthorMax } from './messages.ts'

/** Authors remembered in one window. Beyond, new authors are not limited until the window ends: silence would be worse. */
const authorsMax = 10_000

export interface RecordFilterState {
  readonly windowEndsMs: number
  readonly counts: ReadonlyMap<PeerName, number>
}

export const emptyRecordFilter: RecordFilterState = { windowEndsMs: 0, counts: new Map() }

export interface RecordJudgement {
  readonly verdict: Verdict
  /** Present when accepted. */
  readonly record?: Signed<Capability>
  readonly because?: string
}

export interface RecordSenses {
  /** Checks the signature of the envelope under this peer's network: what costs most. Throws a Fault. */
  readonly verify: (envelope: Uint8Array) => void
  /** The highest sequence that was seen of a peer; -1 when none was. */
  readonly floorOf: (peer: PeerName) => number
}

export function judgeRecord(
  state: RecordFilterState,
  { author, envelope }: { author: PeerName; envelope: Uint8Array },
  nowMs: number,
  { verify, floorOf }: RecordSenses,
): readonly [RecordFilterState, RecordJudgement] {
  const window =
    nowMs < state.windowEndsMs ? state : { windowEndsMs: nowMs + recordWindowMs, counts: new Map<PeerName, number>() }
  const count = window.counts.get(author) ?? 0
  const next = window.counts.size < authorsMax || count > 0 ? counted(window, author, count + 1) : window
  const say = (verdict: Verdict, because: string) => [next, { verdict, because }] as const
  if (count >= recordsPerAuthorMax)
    return say(count >= recordsToleratedPerAuthorMax ? 'excess' : 'ignore', 'author over its rate')
  try {
    const claimed = peekCapability(envelope)
    if (claimed.by !== author) return say('reject', 'author is not the signer')
    const late = lateness(claimed.body, nowMs)
    if (late !== undefined) return say('ignore', late)
    if (claimed.body.sequence <= floorOf(author)) return say('ignore', 'not newer than what was seen')
    verify(envelope)
    return [next, { verdict: 'accept', record: claimed }]
  } catch (error) {
    if (error instanceof Fault) return say('reject', error.message)
    throw error
  }
}

function counted(state: RecordFilterState, author: PeerName, count: number): RecordFilterState {
  // The map is ours alone: the state before is never used again once a step has been taken from it.
  const counts = state.counts as Map<PeerName, number>
  counts.set(author, count)
  return { windowEndsMs: state.windowEndsMs, counts }
}
