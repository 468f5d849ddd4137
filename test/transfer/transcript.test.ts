/**
 * Transfers as plays: test/vectors/transfer-transcript.txt. The two machines know no time: messages are heard in the order in which
 * they were said, and a block is written before the next is heard, unless the scene says otherwise.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import {
  decodeTransfer,
  encodeTransfer,
  offerShard,
  receive,
  stepReceiver,
  stepSender,
  type ReceiverEffect,
  type ReceiverState,
  type SenderState,
  type Transfer,
} from '../../protocols/transfer/index.ts'
import { Fault, type FaultCode } from '../../protocols/wire/index.ts'
import { playText } from '../support/play.ts'
import { allLeaves, block, root, shardBytes } from './other-peer.ts'

interface Plan {
  readonly needed: readonly number[]
  /** What the sender says in the place of this block: it may say more than one, or none. */
  readonly instead?: (leaf: number, count: number) => readonly Transfer[]
  /** WANTs that the receiver's machine did not say, first of all. */
  readonly wants?: readonly { readonly firstLeaf: number; readonly count: number }[]
  /** Blocks that are held before one is written. */
  readonly writesBehind?: number
  /** The connection breaks after so many blocks; what was written is kept for another try. */
  readonly breaksAfter?: number
}

type Want = Extract<Transfer, { say: 'want' }>

/** One exchange, from the first WANT to the end. */
class Exchange {
  readonly lines: string[] = []
  readonly written: number[] = []
  fault: FaultCode | undefined
  isComplete = false
  readonly #plan: Plan
  readonly #toSender: Want[] = []
  readonly #toReceiver: Transfer[] = []
  #receiver: ReceiverState
  #sender: SenderState = offerShard(shardBytes)
  #unwritten: number[] = []
  #sent = 0

  constructor(plan: Plan) {
    this.#plan = plan
    const [state, effects] = receive(root, shardBytes, plan.needed)
    this.#receiver = state
    this.#write('receiver', `needs ${runsOf(plan.needed)}`, this.#receiverDoes(effects))
    for (const want of plan.wants ?? []) {
      this.#toSender.push({ say: 'want', ...want })
      this.#write('receiver', 'cheats', [`says ${wordOf({ say: 'want', ...want })}`])
    }
  }

  run(): this {
    const { breaksAfter = Infinity, writesBehind = 0 } = this.#plan
    while (this.fault === undefined && !this.isComplete) {
      const want = this.#toSender.shift()
      const message = this.#toReceiver[0]
      if (want !== undefined) this.#hearWant(want)
      else if (this.#unwritten.length > writesBehind || (message === undefined && this.#unwritten.length > 0))
        this.#writeLeaf()
      else if (message === undefined || this.#sent - this.#toReceiver.length >= breaksAfter) {
        this.lines.push(`the stream breaks: ${runsOf(this.written)} written`)
        return this
      } else {
        this.#toReceiver.shift()
        this.#hearBlock(decodeTransfer(encodeTransfer(message)))
      }
    }
    return this
  }

  #hearWant(want: Want): void {
    this.#guard('sender', `hears ${wordOf(want)}`, () => {
      const [state, effects] = stepSender(this.#sender, { is: 'want', firstLeaf: want.firstLeaf, count: want.count })
      this.#sender = state
      const said = effects.flatMap(({ leaf }) => this.#plan.instead?.(leaf, ++this.#sent) ?? [block(leaf)])
      if (this.#plan.instead === undefined) this.#sent += said.length
      this.#toReceiver.push(...said)
      return [`says BLOCK ${runsOf(said.map((one) => (one.say === 'block' ? one.leaf : NaN)))}`]
    })
    while (this.#sender.owed > 0) [this.#sender] = stepSender(this.#sender, { is: 'sent' })
  }

  #hearBlock(message: Transfer): void {
    assert.equal(message.say, 'block')
    if (message.say !== 'block') return
    const { leaf, proof, bytes } = message
    this.#guard('receiver', `hears BLOCK ${leaf}`, () => {
      const [state, effects] = stepReceiver(this.#receiver, { is: 'block', leaf, proof, bytes })
      this.#receiver = state
      return this.#receiverDoes(effects)
    })
  }

  #writeLeaf(): void {
    const leaf = this.#unwritten.shift()!
    this.written.push(leaf)
    const [state, effects] = stepReceiver(this.#receiver, { is: 'written' })
    this.#receiver = state
    this.#write('receiver', `has written ${leaf}`, this.#receiverDoes(effects))
  }

  #receiverDoes(effects: readonly ReceiverEffect[]): string[] {
    return effects.map((effect) => {
      switch (effect.do) {
        case 'send':
          assert.equal(effect.message.say, 'want')
          if (effect.message.say === 'want') this.#toSender.push(effect.message)
          return `says ${wordOf(effect.message)}`
        case 'write':
          this.#unwritten.push(effect.leaf)
          return 'writes it'
        case 'finish':
          this.isComplete = true
          return 'has all'
        default:
          return effect satisfies never
      }
    })
  }

  #guard(who: string, because: string, act: () => string[]): void {
    try {
      this.#write(who, because, act())
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.fault = error.code
      this.#write(who, because, [`blames ${error.code}`])
    }
  }

  #write(who: string, because: string, said: readonly string[]): void {
    const counts =
      who === 'sender'
        ? `owed ${this.#sender.owed}`
        : `${this.#receiver.asked} / ${this.#receiver.come} / ${this.#receiver.written}`
    this.lines.push(`${who.padEnd(9)} ${because.padEnd(22)} ${counts.padEnd(14)} ${said.join(', ') || '-'}`)
  }
}

function wordOf(message: Transfer): string {
  return message.say === 'want'
    ? `WANT ${runsOf(Array.from({ length: Math.min(message.count, 99) }, (_, index) => message.firstLeaf + index))}`
    : message.say.toUpperCase()
}

/** `0…3 7`: neighbours as a run. */
function runsOf(leaves: readonly number[]): string {
  const runs: [number, number][] = []
  for (const leaf of leaves) {
    const run = runs.at(-1)
    if (run !== undefined && run[1] + 1 === leaf) run[1] = leaf
    else runs.push([leaf, leaf])
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}…${to}`)).join(' ') || 'none'
}

/** Of a long exchange the beginning, the end, and every line in which something was said. */
function shortened(lines: readonly string[]): string[] {
  const short: string[] = []
  for (const [index, line] of lines.entries()) {
    const isPlain = / writes it$| -$/.test(line) && index > 6 && index < lines.length - 4
    if (!isPlain) short.push(line)
    else if (short.at(-1) !== '…') short.push('…')
  }
  return short
}

const bad = block(1, new Uint8Array(65_536).fill(9))
const scenes: readonly { title: string; plan: Plan; fault?: FaultCode; written?: number }[] = [
  { title: 'three leaves', plan: { needed: [0, 1, 2] }, written: 3 },
  {
    title: 'a whole shard of 71 leaves: half of the credit is given back at a time',
    plan: { needed: allLeaves },
    written: 71,
  },
  {
    title: 'a slow disk: credit comes back as blocks are written, not as they come',
    plan: { needed: allLeaves, writesBehind: 40 },
    written: 71,
  },
  { title: 'holes: one WANT for each run of neighbours', plan: { needed: [3, 4, 5, 9, 70] }, written: 5 },
  { title: 'nothing is needed', plan: { needed: [] }, written: 0 },
  {
    title: 'the stream breaks: what was written is kept',
    plan: { needed: [0, 1, 2, 3, 4], breaksAfter: 2 },
    written: 2,
  },
  { title: '… and the next exchange asks for the rest', plan: { needed: [2, 3, 4] }, written: 3 },
  {
    title: 'a block that is not of the shard: it is not kept, what came before is',
    plan: { needed: [0, 1, 2], instead: (leaf) => [leaf === 1 ? bad : block(leaf)] },
    fault: 'PROOF_INVALID',
    written: 1,
  },
  {
    title: 'a block of the wrong size',
    plan: { needed: [70], instead: (leaf) => [block(leaf, new Uint8Array(99).fill(70))] },
    fault: 'PROOF_INVALID',
    written: 0,
  },
  {
    title: 'a block with the proof of another',
    plan: { needed: [0], instead: () => [{ ...block(0), proof: block(1).proof }] },
    fault: 'PROOF_INVALID',
    written: 0,
  },
  {
    title: 'the blocks in another order',
    plan: { needed: [0, 1], instead: (leaf) => [block(1 - leaf)] },
    fault: 'OUT_OF_TURN',
    written: 0,
  },
  {
    title: 'every block twice',
    plan: { needed: [0, 1], instead: (leaf) => [block(leaf), block(leaf)] },
    fault: 'OUT_OF_TURN',
    written: 1,
  },
  {
    title: 'a block more than was asked for',
    plan: { needed: [0, 1], writesBehind: 9, instead: (leaf) => (leaf === 1 ? [block(1), block(2)] : [block(0)]) },
    fault: 'CREDIT_EXCEEDED',
    written: 0,
  },
  {
    title: 'a block is lost: the receiver waits, and time ends the exchange',
    plan: { needed: [0, 1], instead: (leaf) => (leaf === 1 ? [] : [block(0)]) },
    written: 1,
  },
  {
    title: 'a WANT beyond the credit',
    plan: { needed: [], wants: [{ firstLeaf: 0, count: 65 }] },
    fault: 'CREDIT_EXCEEDED',
  },
  {
    title: 'a WANT of leaves that are not there',
    plan: { needed: [], wants: [{ firstLeaf: 70, count: 2 }] },
    fault: 'FIELD_INVALID',
  },
  { title: 'a WANT of nothing', plan: { needed: [], wants: [{ firstLeaf: 0, count: 0 }] }, fault: 'FIELD_INVALID' },
]

test('the plays of a transfer are the ones that were reviewed', (t) => {
  const acts = scenes.map(({ title, plan, fault, written }) => {
    const exchange = new Exchange(plan)
    // A receiver that needs nothing has all; one that cheats goes on.
    if (plan.wants !== undefined) exchange.isComplete = false
    exchange.run()
    const text = `${title}\n${exchange.lines.join('\n')}`
    assert.equal(exchange.fault, fault, text)
    if (written !== undefined) assert.equal(exchange.written.length, written, text)
    return { title, lines: shortened(exchange.lines) }
  })
  const head = 'The columns of the receiver count the leaves that were asked for, have come, and are written.\n\n'
  t.assert.fileSnapshot(head + playText(acts), join(import.meta.dirname, '..', 'vectors', 'transfer-transcript.txt'), {
    serializers: [(value: unknown) => value as string],
  })
})
