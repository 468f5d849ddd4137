/**
 * The golden vectors of test/vectors: what another implementation is checked with. They are made here from fixed keys and dates,
 * and made again they are the same bytes; `node --test --test-update-snapshots test/spec/vectors.test.ts` writes them anew.
 * A changed byte is a changed protocol.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { fromString, toString } from 'uint8arrays'

import { openAccount, openReceipt, stepPay } from '../../protocols/receipt/index.ts'
import { verifyAnyFile } from '../../protocols/storage/verify.ts'
import {
  openAgreed,
  openSettling,
  stepSettle,
  type Agreed,
  type BooksView,
  type Settling,
} from '../../protocols/settle/index.ts'
import { judge } from '../../protocols/settle/judge.ts'
import { billedLease } from '../../src/market/terms.ts'
import { faultOf, startMs } from '../negotiate/parties.ts'
import { announcementVectors } from './vectors/announcements.ts'
import type { Case, ChainCase, FileCase, SettlementsCase, VectorFile } from './vectors/cases.ts'
import { discoverVectors } from './vectors/discover.ts'
import { executeVectors } from './vectors/execute.ts'
import { asker, fromJson, keys, kinds, network, toJson, worker } from './vectors/kinds.ts'
import { accept, award, commit, lease } from './vectors/lease.ts'
import { negotiateVectors } from './vectors/negotiate.ts'
import { evidenceVectors } from './vectors/evidence.ts'
import { forwardVectors } from './vectors/forward.ts'
import { inquireVectors } from './vectors/inquire.ts'
import { placementVectors } from './vectors/placement.ts'
import { receiptVectors } from './vectors/receipt.ts'
import { referencesVectors } from './vectors/references.ts'
import { balanceOf, proofsOf, settleVectors } from './vectors/settle.ts'
import { storageVectors } from './vectors/storage.ts'
import { transferVectors } from './vectors/transfer.ts'
import { voucherVectors } from './vectors/voucher.ts'
import { wireVectors } from './vectors/wire.ts'

const files: Readonly<Record<string, VectorFile>> = {
  ...wireVectors,
  ...announcementVectors,
  ...negotiateVectors,
  ...executeVectors,
  ...transferVectors,
  ...evidenceVectors,
  ...discoverVectors,
  ...forwardVectors,
  ...inquireVectors,
  ...referencesVectors,
  ...placementVectors,
  ...receiptVectors,
  ...settleVectors,
  ...storageVectors,
  ...voucherVectors,
}

const pathOf = (name: string): string => join(import.meta.dirname, '..', 'vectors', `${name}.json`)

const textOf = ({ what, cases }: VectorFile): string =>
  `${JSON.stringify({ what, network, keys: keys.map((key) => toJson(key)), cases }, null, 1)}\n`

for (const [name, made] of Object.entries(files)) {
  test(`vectors ${name}: made again, they are the same bytes`, (t) => {
    t.assert.fileSnapshot(textOf(made), pathOf(name), { serializers: [(value: unknown) => value as string] })
  })

  test(`vectors ${name}: the bytes mean what is written beside them, and what is written gives the bytes`, () => {
    const { cases } = JSON.parse(readFileSync(pathOf(name), 'utf8')) as VectorFile
    assert.ok(cases.length > 0)
    assert.equal(new Set(cases.map((one) => one.name)).size, cases.length, 'each has a name of its own')
    for (const one of cases) {
      if (one.kind === 'chain') checkChain(one as ChainCase)
      else if (one.kind === 'receipt-file') checkFile(one as FileCase)
      else if (one.kind === 'settlements') checkSettlements(one as SettlementsCase)
      else checkCase(one as Case, name === 'unknown-fields')
    }
  })
}

function checkCase({ name, kind, context = {}, hex, meaning, fault }: Case, isOfALaterVersion: boolean): void {
  const { decode, encode } = kinds[kind]!
  const bytes = fromString(hex, 'hex')
  assert.equal(toString(bytes, 'hex'), hex, name)
  if (fault !== undefined) {
    assert.equal(
      faultOf(() => decode(bytes, context)),
      fault,
      name,
    )
    return
  }
  const value = decode(bytes, context)
  assert.deepEqual(toJson(value), meaning, name)
  const again = toString(encode(fromJson(meaning, value), context), 'hex')
  if (isOfALaterVersion) assert.notEqual(again, hex, name)
  else assert.equal(again, hex, name)
}

function checkChain({ name, receipts, fault }: ChainCase): void {
  const terms = billedLease({ id: lease, requester: award.by, provider: award.body.provider, award, accept, commit })
  let state = openAccount(terms)
  for (const [index, hex] of receipts.entries()) {
    const receipt = openReceipt(asker, fromString(hex, 'hex'))
    const { wallMs, gas, outBytes } = receipt.body.usage
    const input = { is: 'message', from: award.body.provider, message: { say: 'receipt', receipt } } as const
    const result = receipt.body.final ? { cid: receipt.body.result, gas, outBytes } : null
    const measured = { wallMs, inBytes: 11, gasMax: 0, result }
    const [next, effects] = stepPay(asker, state, { ...input, measured }, startMs + wallMs)
    const blame = effects.find((effect) => effect.do === 'blame')
    const isLast = index === receipts.length - 1
    assert.equal(blame?.do === 'blame' ? blame.fault.code : undefined, isLast ? fault : undefined, `${name} ${index}`)
    state = next
  }
}

function checkFile({ name, file, meaning, at, code }: FileCase): void {
  const { ok, ...verdict } = verifyAnyFile(file)
  assert.equal(ok, at === undefined, name)
  if (at === undefined) assert.deepEqual(verdict, meaning, name)
  else assert.deepEqual(verdict, { at, code, problem: (verdict as { problem: string }).problem }, name)
}

function checkSettlements({ name, settlements, meaning, fault }: SettlementsCase): void {
  const account = new TwoSides()
  for (const [index, { statement, agreement }] of settlements.entries()) {
    const code = faultOf(() =>
      account.hear(
        openAgreed(asker, { statement: fromString(statement, 'hex'), agreement: fromString(agreement, 'hex') }),
      ),
    )
    const isLast = index === settlements.length - 1
    assert.equal(code, isLast && fault !== undefined ? fault : 'no fault', `${name} ${index}`)
  }
  if (fault === undefined) assert.deepEqual(toJson(balanceOf(account.chain)), meaning, name)
}

/** Both peers of an account, as they hear what was agreed: the one that did not propose it judges it first. */
class TwoSides {
  readonly chain: Agreed[] = []
  readonly #states = new Map(
    [
      [asker, worker],
      [worker, asker],
    ].map(([self, other]) => [self!, openSettling(other!.signer.peer, 'credit')]),
  )

  /** Throws the fault that one of the two finds in it. */
  hear(agreed: Agreed): void {
    const { statement, agreement } = agreed
    const [self, state] = [...this.#states].find(([{ signer }]) => signer.peer === agreement.by)!
    const books = this.#booksFor(agreed)
    const { number, revision } = statement.body
    const isNext = number === (state.head?.statement.body.number ?? 0) + 1
    if (isNext) judge(self, statement.body, [], null, state.head, books)
    // Revisions before are not told of here, so that a later one cannot be heard as a proposal.
    if (revision === 1)
      this.#step(self, { say: 'propose', statement, evidence: [], forfeits: proofsOf(statement.body.forfeits) }, books)
    for (const one of this.#states.keys()) {
      const next = this.#step(one, { say: 'agreed', ...agreed }, books)
      this.#states.set(one, next)
    }
    if (isNext) this.chain.push(agreed)
  }

  #step(self: typeof asker, message: Settling, books: BooksView) {
    const state = this.#states.get(self)!
    const [next, effects] = stepSettle(self, state, { is: 'message', from: state.other, message }, books, startMs)
    for (const effect of effects) if (effect.do === 'blame') throw effect.fault
    return next
  }

  /** They hold what it takes in, so that nothing but the chain is judged. */
  #booksFor({ statement }: Agreed): BooksView {
    return {
      unsettled: () => [],
      lease: (lease) => {
        const entry = statement.body.entries.find((one) => one.lease === lease)
        if (entry === undefined) return undefined
        const entries = this.chain.flatMap((agreed) => agreed.statement.body.entries)
        const settledMicro = entries.findLast((one) => one.lease === lease)?.amountMicro ?? 0
        return { lease, provider: entry.provider, held: entry, settledMicro }
      },
      evidence: () => undefined,
      forfeits: () => [],
      isForfeited: (lease) =>
        this.chain.some((agreed) => agreed.statement.body.forfeits.some((one) => one.lease === lease)),
      agreed: () => undefined,
    }
  }
}

test('the lease of the vectors has every statement of its way, and costs what the formula says', () => {
  const { cases } = JSON.parse(readFileSync(pathOf('billing'), 'utf8')) as { cases: Case[] }
  const amounts = cases.flatMap(({ meaning }) => {
    const said = meaning as { say?: string; receipt?: { body: { amountMicro: number; usage: { wallMs: number } } } }
    return said?.say === 'receipt' ? [[said.receipt!.body.usage.wallMs, said.receipt!.body.amountMicro]] : []
  })
  assert.deepEqual(
    amounts,
    [1_000, 3_001, 7_003, 8_200].map((wallMs) => {
      const parts = [
        (1_500 * wallMs * 1_999_999) / 3_600_000_000,
        (720_000 * wallMs * 17) / 10 ** 9,
        (Math.floor((512 * wallMs) / 1_000) * 350_001) / 3_686_400,
        (wallMs * 2_500_003) / 3_600_000,
        (11 * 90_001) / 2 ** 30,
        ((wallMs === 8_200 ? 100_000 : 0) * 120_007) / 2 ** 30,
        (Math.floor((1_024 * wallMs) / 1_000) * 333) / 3_686_400,
      ]
      return [wallMs, parts.reduce((sum, part) => sum + Math.ceil(part), 0)]
    }),
  )
})
