import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'

import { allMutants } from '../../sim/mutants/index.ts'
import { Copy, PatchError } from '../../sim/mutants/patch.ts'
import { tryMutant } from '../../sim/mutants/trial.ts'

const root = join(import.meta.dirname, '..', '..')

test('there are mutants enough, each with a name of its own, and every patch still applies', () => {
  assert.ok(allMutants.length >= 24, `${allMutants.length} mutants`)
  assert.equal(new Set(allMutants.map(({ name }) => name)).size, allMutants.length)
  using copy = new Copy(root)
  for (const mutant of allMutants) copy.plant(mutant)()
})

test('a patch whose text is not there fails, and leaves the tree as it was', () => {
  using copy = new Copy(root)
  const edits = [
    { file: 'src/reactor.ts', find: 'const inputsQueuedMax = 1_024', replace: 'const inputsQueuedMax = 1' },
    { file: 'src/reactor.ts', find: 'this text is not in the file', replace: '' },
  ]
  assert.throws(() => copy.plant({ name: 'none', about: '', edits }), PatchError)
  const [first] = edits
  copy.plant({ name: 'one', about: '', edits: [first!] })()
})

test('a planted bug is caught, and the tree without it is clean', async () => {
  const mutant = allMutants.find(({ name }) => name === 'receipt-unpersisted')!
  using copy = new Copy(root)
  const restore = copy.plant(mutant)
  const caught = await tryMutant(copy.folder, mutant, 'storm', 20)
  assert.ok(caught.seedsNeeded !== null && caught.checkers.includes('durable-before-said'), JSON.stringify(caught))
  restore()
  const clean = await tryMutant(copy.folder, mutant, 'storm', 5)
  assert.equal(clean.seedsNeeded, null, JSON.stringify(clean))
  assert.equal(clean.why, '')
})
