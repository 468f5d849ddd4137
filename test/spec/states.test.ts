/**
 * The transition tables of the READMEs are true: each machine is driven from every state that can be reached by every kind
 * of input, and what is seen is what the table says, no row missing and none invented.
 *
 * A table stands under a heading that names the step function (`### Provider: `stepHold` (provider.ts)`), with the columns
 * `state`, `on`, `next`, `says`. The first three hold names in backticks; several in one cell are a row each; `next` may
 * say "the same". The state `–` is how it begins. `says` names every message that may be sent, and in backticks exactly
 * the codes of the refusals and faults.
 *
 * A protocol is added by walking its machines (walk.ts), a line below, and a word in protocols.ts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { executeMachines } from './machines-execute.ts'
import { forwardMachines } from './machines-forward.ts'
import { negotiateMachines } from './machines-negotiate.ts'
import { receiptMachines } from './machines-receipt.ts'
import { settleMachines } from './machines-settle.ts'
import { storageMachines } from './machines-storage.ts'
import { transferMachines } from './machines-transfer.ts'
import { voucherMachines } from './machines-voucher.ts'
import { protocolsWithReadme } from './protocols.ts'
import { codesIn, quoted, readmeOf, tablesOf, type Table } from './tables.ts'
import type { Observed } from './walk.ts'

const machines: readonly Observed[] = [
  ...negotiateMachines,
  ...executeMachines,
  ...receiptMachines,
  ...settleMachines,
  ...transferMachines,
  ...forwardMachines,
  ...voucherMachines,
  ...storageMachines,
].map((machine) => machine())

const columns = ['state', 'on', 'next', 'says']

function isOfStates(table: Table): boolean {
  return columns.every((column, index) => table.columns[index] === column)
}

function tableOf(protocol: string, name: string): Table {
  const found = tablesOf(readmeOf(protocol)).filter(
    (table) => isOfStates(table) && quoted(table.under.at(-1) ?? '').includes(name),
  )
  assert.equal(found.length, 1, `protocols/${protocol}/README.md has one transition table of ${name}`)
  return found[0]!
}

interface Row {
  readonly state: string
  readonly on: string
  readonly next: string
  readonly says: string
}

function rowsOf(table: Table): Row[] {
  return table.rows.flatMap(({ state, on, next, says }) =>
    (state === '–' ? ['–'] : quoted(state!)).flatMap((from) =>
      quoted(on!).flatMap((input) =>
        (next === 'the same' ? [from] : quoted(next!)).map((to) => ({ state: from, on: input, next: to, says: says! })),
      ),
    ),
  )
}

const sorted = (words: Iterable<string>): string[] => [...new Set(words)].toSorted()

for (const observed of machines) {
  const { protocol, name } = observed

  test(`${protocol}: the table of ${name} is what the machine does`, () => {
    const rows = rowsOf(tableOf(protocol, name))
    const said = rows.map(({ state, on, next }) => `${state} | ${on} | ${next}`)
    assert.deepEqual(sorted(said), sorted(observed.transitions))
    assert.equal(said.length, new Set(said).size, 'a transition stands there once')
  })

  test(`${protocol}: what ${name} says is what its table says`, () => {
    const rows = Map.groupBy(rowsOf(tableOf(protocol, name)), ({ state, on }) => `${state} | ${on}`)
    for (const [row, cells] of rows) {
      const says = cells.map((cell) => cell.says).join(' ')
      assert.deepEqual(sorted(codesIn(says)), sorted(observed.codes.get(row) ?? []), `the codes of ${row}`)
      for (const word of observed.words.get(row) ?? [])
        assert.match(says, new RegExp(`\\b${word}\\b`), `${row} does not say that ${word} is sent`)
    }
  })

  test(`${protocol}: the walk through ${name} comes by every state`, () => {
    const states = rowsOf(tableOf(protocol, name)).flatMap(({ state, next }) => [state, next])
    assert.deepEqual(sorted(states.filter((state) => state !== '–')), sorted(observed.states))
    assert.ok(observed.steps > 100, `${observed.steps} steps`)
  })
}

test('every transition table of the READMEs is walked', () => {
  const walked = machines.map(({ name }) => name)
  for (const protocol of protocolsWithReadme)
    for (const table of tablesOf(readmeOf(protocol)).filter(isOfStates))
      assert.ok(
        quoted(table.under.at(-1)!).some((name) => walked.includes(name)),
        `protocols/${protocol}/README.md: ${table.under.at(-1)}`,
      )
})
