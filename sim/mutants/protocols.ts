/** Bugs in what peers have agreed on. */
import type { Edit, Mutant } from './mutant.ts'

const provider = 'protocols/negotiate/provider.ts'
const requester = 'protocols/negotiate/requester.ts'
const task = 'protocols/execute/provider.ts'
const watch = 'protocols/execute/requester.ts'
const bill = 'protocols/receipt/provider.ts'
const pay = 'protocols/receipt/requester.ts'
const judge = 'protocols/receipt/judge.ts'

const proofsUnchecked: readonly Edit[] = [
  {
    file: 'protocols/erasure/merkle.ts',
    find: 'return used === proof.length && equals(climbed, root) ? path : undefined',
    replace: 'return path',
  },
  {
    file: 'protocols/erasure/merkle.ts',
    find: 'return equals(hashNode(before[level]!, climbed), above[0]!) ? [...path, ...above] : undefined',
    replace: 'return [...path, ...above]',
  },
]

export const protocolMutants: readonly Mutant[] = [
  {
    name: 'signature-unchecked',
    about: 'envelopes are opened without a look at the signature',
    edits: [
      {
        file: 'protocols/wire/envelope.ts',
        find: '!signer.verify(publicKey, message, signature)',
        replace: 'message.byteLength === 0',
      },
    ],
  },
  {
    name: 'award-unpersisted',
    about: 'an award is sent before it is written down',
    edits: [
      {
        file: requester,
        find: "{ do: 'record', statement: { kind: 'award', by: signed.by, envelope: signed.envelope } },",
        replace: '',
      },
    ],
  },
  {
    name: 'accept-unpersisted',
    about: 'an acceptance is sent before it is written down',
    edits: [
      {
        file: provider,
        find: "{ do: 'record', statement: { kind: 'accept', by: accept.by, envelope: accept.envelope } },",
        replace: '',
      },
    ],
  },
  {
    name: 'result-unpersisted',
    about: 'a result is sent before it is written down',
    edits: [
      {
        file: task,
        find: "{ do: 'record', statement: { kind: 'result', by: notary.signer.peer, envelope } },",
        replace: '',
      },
    ],
  },
  {
    name: 'receipt-unpersisted',
    about: 'a receipt is sent before it is written down',
    edits: [
      {
        file: bill,
        find: "{ do: 'record', statement: { kind: 'receipt', by: receipt.by, envelope: receipt.envelope } },",
        replace: '',
      },
    ],
  },
  {
    name: 'countersignature-unpersisted',
    about: 'a countersignature is sent before it is written down',
    edits: [
      {
        file: pay,
        find: "{ do: 'record', statement: { kind: 'countersignature', by: last.by, envelope: last.envelope } },",
        replace: '',
      },
    ],
  },
  {
    name: 'dispute-unpersisted',
    about: 'a dispute is sent before it is written down',
    edits: [
      {
        file: pay,
        find: "{ do: 'record', statement: { kind: 'receipt-dispute', by: signed.by, envelope: signed.envelope } },",
        replace: '',
      },
    ],
  },
  {
    name: 'receipt-number-reused',
    about: 'the number of a receipt is not raised',
    edits: [{ file: bill, find: 'sequence: sequence + 1,', replace: 'sequence: Math.max(1, sequence),' }],
  },
  {
    name: 'old-lease-blamed',
    about: 'a late receipt of a lease that was given up is held against its provider',
    edits: [{ file: pay, find: 'if (receipt.body.lease !== lease.id) return [state, []]', replace: '' }],
  },
  {
    name: 'receipt-delta',
    about: 'a receipt states what was used since the last one, not in all',
    edits: [
      {
        file: bill,
        find: 'const grown = atLeast(usage, state.usage)',
        replace:
          'const grown = { ...usage, wallMs: usage.wallMs - state.usage.wallMs, cpuMs: usage.cpuMs - state.usage.cpuMs }',
      },
    ],
  },
  {
    name: 'receipt-chain-loose',
    about: 'every receipt names the lease in the place of the receipt before it',
    edits: [
      {
        file: bill,
        find: 'const chain: Chain = { lease, sequence, previous: hash, usage, intervalMs, last: signed }',
        replace: 'const chain: Chain = { lease, sequence, previous: state.previous, usage, intervalMs, last: signed }',
      },
    ],
  },
  {
    name: 'receipt-twice-blamed',
    about: 'a receipt that comes again is taken for a broken chain',
    edits: [
      {
        file: pay,
        find: 'if (receipt.body.sequence <= state.sequence) return onOld(state, receipt)',
        replace: 'if (receipt.body.sequence < state.sequence) return onOld(state, receipt)',
      },
    ],
  },
  {
    name: 'countersignature-twice-blamed',
    about: 'a countersignature that comes twice is held against the requester',
    edits: [
      {
        file: bill,
        find: 'signed.body.lease !== lease.id || signed.body.sequence < receipt.body.sequence',
        replace: 'signed.body.lease !== lease.id',
      },
    ],
  },
  {
    name: 'wall-time-unchecked',
    about: 'the requester signs for whatever time it is billed',
    edits: [{ file: judge, find: 'if (usage.wallMs > allowedMs)', replace: 'if (allowedMs < 0)' }],
  },
  {
    name: 'amount-unchecked',
    about: 'the requester signs for whatever amount it is billed',
    edits: [{ file: judge, find: 'if (receipt.amountMicro !== owed)', replace: 'if (receipt.amountMicro < 0)' }],
  },
  {
    name: 'unsigned-work-goes-on',
    about: 'a requester that signs nothing is worked for to the end',
    edits: [{ file: bill, find: 'if (nowMs >= state.giveUpMs)', replace: 'if (nowMs < 0)' }],
  },
  {
    name: 'hold-never-ends',
    about: 'an offer that nobody awards holds its capacity for ever',
    edits: [
      {
        file: provider,
        find: 'return nowMs >= state.offer.body.holdUntilMs\n        ? release',
        replace: 'return nowMs < 0\n        ? release',
      },
    ],
  },
  {
    name: 'commit-awaited-for-ever',
    about: 'an acceptance that nobody commits to holds its capacity for ever',
    edits: [
      {
        file: provider,
        find: "if (nowMs >= state.accept.body.commitByMs) return release(state, { code: 'NO_COMMIT', facts: {} })",
        replace: '',
      },
    ],
  },
  {
    name: 'terms-unchecked',
    about: 'the provider accepts an award at another price than it offered',
    edits: [
      {
        file: provider,
        find: 'isSameTariff(body, offered) &&',
        replace: '',
      },
    ],
  },
  {
    name: 'award-twice-blamed',
    about: 'the same award again is taken for a second one',
    edits: [
      {
        file: provider,
        find: 'if (equals(award.envelope, state.award.envelope)) return sendAgain(state, nowMs)',
        replace: '',
      },
    ],
  },
  {
    name: 'late-award-blamed',
    about: 'the award of an offer that ran out is held against the requester',
    edits: [
      {
        file: provider,
        find: 'return isToUs && !equals(offer, hashOfEnvelope(state.offer.envelope))',
        replace: 'return false',
      },
      {
        file: provider,
        find: 'const same =\n    body.unit',
        replace: 'const same =\n    equals(body.offer, hashOfEnvelope(state.offer.envelope)) &&\n    body.unit',
      },
    ],
  },
  {
    name: 'start-awaited-for-ever',
    about: 'a lease that nobody starts is never given up',
    edits: [{ file: task, find: "if (nowMs >= state.giveUpMs) return abandon(state, 'NO_START')", replace: '' }],
  },
  {
    name: 'result-told-for-ever',
    about: 'a result that nobody takes is repeated without end',
    edits: [
      {
        file: task,
        find: "    case 'wake':\n      if (nowMs >= state.giveUpMs)\n        return [\n          done(false),",
        replace: "    case 'wake':\n      if (nowMs < 0)\n        return [\n          done(false),",
      },
    ],
  },
  {
    name: 'silence-tolerated',
    about: 'a provider that says nothing any more is waited for without end',
    edits: [{ file: watch, find: 'if (nowMs >= state.silentAtMs)\n', replace: 'if (nowMs < 0)\n' }],
  },
  {
    name: 'paid-without-outputs',
    about: 'the last receipt is answered before the outputs are here',
    edits: [
      { file: pay, find: 'if (receipt.body.final && input.measured.result === null) return [state, []]', replace: '' },
    ],
    scenario: 'calm',
  },
  {
    name: 'author-unchecked',
    about: "another's bid counts as the author's",
    edits: [
      { file: 'protocols/bid/filter.ts', find: 'if (bid.by !== input.author)', replace: 'if (bid.by === undefined)' },
    ],
  },
  {
    name: 'expired-bid-taken',
    about: 'bids are answered whose time is over',
    edits: [{ file: 'protocols/bid/filter.ts', find: 'if (isBidOver(bid.body, nowMs))', replace: 'if (nowMs < 0)' }],
  },
  {
    name: 'flood-unfiltered',
    about: 'one author may cry as many bids as it likes',
    edits: [{ file: 'protocols/bid/filter.ts', find: 'if (count >= bidsPerAuthorMax)', replace: 'if (count < 0)' }],
  },
  {
    name: 'settled-twice',
    about: 'what earlier statements have taken in of a lease is taken in again',
    edits: [
      {
        file: 'protocols/settle/books.ts',
        find: 'return Math.max(book?.settledMicro ?? 0, entry?.amountMicro ?? 0)',
        replace: 'return entry === undefined ? 0 : 0',
      },
    ],
    scenario: 'settling',
  },
  {
    name: 'settlement-unpersisted',
    about: 'a proposal to settle is sent before it is written down',
    edits: [
      {
        file: 'protocols/settle/propose.ts',
        find: "[...before, record('settlement', proposal), { do: 'save' }, ...sent, ...after]",
        replace: "[...before, { do: 'save' }, ...sent, ...after]",
      },
    ],
    scenario: 'settling',
  },
  {
    name: 'settling-forgets-its-word',
    about: 'a restart does not know what it proposed to settle',
    edits: [
      {
        file: 'protocols/settle/propose.ts',
        find: "record('settlement', proposal), { do: 'save' }, ...sent",
        replace: "record('settlement', proposal), ...sent",
      },
    ],
    scenario: 'settling',
  },
  {
    name: 'settlement-chain-loose',
    about: 'every settlement names the first one',
    edits: [
      {
        file: 'protocols/settle/propose.ts',
        find: 'previous: headHashOf(desk, state),',
        replace: 'previous: headHashOf(desk, { ...state, head: null }),',
      },
    ],
    scenario: 'settling',
  },
  {
    name: 'block-unproved',
    about: 'a block is taken whatever its proof says',
    edits: proofsUnchecked,
    scenario: 'storage',
  },
  {
    name: 'segment-unopened',
    about: 'a segment whose seal does not fit is given out all the same',
    edits: [
      ...proofsUnchecked,
      {
        file: 'protocols/erasure/segment.ts',
        find: '  try {\n    open.final()\n  } catch {\n    return undefined\n  }\n',
        replace: '',
      },
      {
        file: 'protocols/erasure/commitment.ts',
        find: 'if (!equals(this.#builders[shard]!.root(), this.#roots[shard]!))',
        replace: 'if (this.#builders.length === 0 && equals(this.#roots[shard]!, this.#roots[shard]!))',
      },
    ],
    scenario: 'storage',
  },
]
