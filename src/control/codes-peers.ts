/** Codes of what other peers do: faults, which cost them standing, and refusals of those that keep data. */
import type { Row } from './codes.ts'

const fault = (means: string, why: string): Row => [
  means,
  `${why}; it is a fault: the stream ends, and the peer loses standing`,
  'pleach peers   shows its standing; of one of ours: run the same version on both',
]

export const peerCodes: Readonly<Record<string, Row>> = {
  FRAME_TOO_LARGE: fault('a message is longer than is lawful', 'each protocol has a limit'),
  FRAME_TRUNCATED: fault('a stream ended inside a message', 'the peer went away in the middle of it'),
  FRAME_MALFORMED: fault('bytes that are no message', 'the peer speaks something else, or badly'),
  SIGNATURE_INVALID: fault('a signature does not fit', 'what was signed was changed, or never signed'),
  DOMAIN_UNEXPECTED: fault(
    'a statement of another kind in the place of this one',
    'what was signed as one kind is nothing as another',
  ),
  NETWORK_FOREIGN: [
    'a statement, or a peer, is of another network',
    'what was signed on one network is nothing on another, and neither hears the other; in an exchange it is a fault, and costs standing',
    'pleach status   shows the network of a peer; of one of ours: pleach up --network NAME, the same name on both',
  ],
  SIGNER_UNEXPECTED: fault("a statement is somebody else's", 'a peer may speak for itself only'),
  FIELD_INVALID: fault('a message says what no honest peer says', 'one of its fields is not lawful'),
  OUT_OF_TURN: fault('a message that is not due', 'the state of the exchange does not allow it'),
  PROOF_INVALID: fault('a block of data is not what its root says', 'it was changed, or is of something else'),
  CREDIT_EXCEEDED: fault('more data was sent than was asked for', 'blocks are sent on request only'),
  CHAIN_BROKEN: fault('a receipt does not follow the last one', 'receipts are numbered, and name the one before'),
  SEQUENCE_GAP: fault('a receipt before this one never came', 'receipts are numbered, and none is left out'),
  USAGE_FELL: fault('a receipt states less than the one before', 'what was used in all never falls'),
  NUMBER_NEGATIVE: fault('a receipt counts less than nothing', 'what is counted is a whole number from 0 on'),
  NUMBER_TOO_LARGE: fault('a receipt counts more than can be exact', 'the most is 2^53 - 1, exact in any language'),
  OVERCHARGED: fault('a bill is for more than the lease says', 'the price was signed by both'),
  EQUIVOCATION: fault('two signed statements that exclude each other', 'together they prove it to anybody'),

  NOT_FOUND: [
    'it is not there',
    'a keeper has no such shard; or nothing here has such a name',
    'pleach ls; pleach jobs',
  ],
  DAMAGED: ['a keeper had the shard, and its disk lost it', 'disks rot', 'pleach repair OBJECT'],
  NOT_KEEPING: [
    'the peer keeps nothing for others',
    'its owner lends no disk space',
    'nothing: another keeper is taken',
  ],
  NOTHING_NEW: [
    'a keeper gives no new receipt of what it kept',
    'it has kept no more than the last one says, or that one is not a minute old',
    'nothing: it is asked again within the hour',
  ],
  ACCOUNT_BEHIND: [
    'a keeper and we do not agree which receipt of this month was the last',
    'one of the two has lost what it signed; whatever followed might contradict it',
    'nothing: the next month has an account of its own',
  ],
  PERIOD_OVER: [
    'a receipt was asked for of a month that is over',
    'a keeper answers for the month that is, and for a week for the one before; or one of the two clocks is wrong',
    'date   (the clocks of both machines)',
  ],
  NOT_OWNER: ['another peer asked for the shard to be kept', 'only who asked may take it back', 'nothing'],
  NO_SPACE: ['the keeper has no room', 'its quota or its disk is full', 'nothing: another keeper is taken'],
  OWNER_FULL: [
    'we have our share of this keeper',
    'one owner gets a quarter of what it keeps at most',
    'pleach rm OBJECT',
  ],
  TERM_TOO_LONG: ['the keeper does not keep for so long', 'it promises 30 days at most', 'nothing: it is renewed'],
  TERM_OVER: ['it was to be kept until a time that is past', 'one of the two clocks is wrong', 'timedatectl'],
  STORAGE_FAILED: [
    "a keeper's disk failed",
    'what was not written is not acknowledged',
    'nothing: another keeper is taken',
  ],
  CLAIMED: [
    'another peer is repairing the object',
    'two would do the same work',
    'pleach audit   shows when it is done',
  ],
  AUTHOR_FULL: ['a record was not stored', 'its author has as many as one may have here', 'nothing'],
  STORE_FULL: ['a record was not stored', 'this peer has room for so many', 'nothing'],
  STALE: ['a record was not stored', 'a newer one of the same peer was seen before', 'nothing'],
}
