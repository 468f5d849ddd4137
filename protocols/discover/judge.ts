/**
 * Whether an announced record is passed on: accept, ignore, reject, or one of far too many; cheapest first, the signature last. Only what no
 * honest peer can have passed on is rejected.
 *
 * Pure: the caller brings the time and the floor.
 */
import { lateness, peekCapability, type Capability } from '../capability/index.ts'
import { countAuthor, Fault, type AuthorRate, type PeerName, type Signed, type Verdict } from '../wire/index.ts'
import { recordWindowMs, recordsPerAuthorMax, recordsToleratedPerAuthorMax } from './messages.ts'

export interface RecordJudgement {
  readonly verdict: Verdict
  /** Present when accepted. */
  readonly record?: Signed<Capability>
  readonly because?: string
}

export interface RecordSenses {
  /** The one that this peer is of. */
  readonly network: string
  /** Checks the signature of the envelope under this peer's network: what costs most. Throws a Fault. */
  readonly verify: (envelope: Uint8Array) => void
  /** The highest sequence that was seen of a peer; -1 when none was. */
  readonly floorOf: (peer: PeerName) => number
}

export function judgeRecord(
  state: AuthorRate,
  { author, envelope }: { author: PeerName; envelope: Uint8Array },
  nowMs: number,
  { network, verify, floorOf }: RecordSenses,
): readonly [AuthorRate, RecordJudgement] {
  const [next, count] = countAuthor(state, author, nowMs, recordWindowMs)
  const say = (verdict: Verdict, because: string) => [next, { verdict, because }] as const
  if (count >= recordsPerAuthorMax)
    return say(count >= recordsToleratedPerAuthorMax ? 'excess' : 'ignore', 'author over its rate')
  try {
    const claimed = peekCapability(network, envelope)
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
