import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'

import { scenarioNamed, scenarios } from '../../sim/scenarios/index.ts'
import { ScenarioError, loadFile, loadFolder } from '../../sim/scenarios/load.ts'

const root = join(import.meta.dirname, '..', '..')

function folderWith(t: TestContext, files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-scenarios-'))
  t.after(() => rmSync(folder, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

test('a scenario says what is other than in the one that it extends', () => {
  const { calm, crashes, storm } = scenarios
  assert.equal(crashes!.network.lossProbability, calm!.network.lossProbability)
  assert.equal(crashes!.faults.crashesMax, 8)
  assert.equal(crashes!.faults.cutsMax, calm!.faults.cutsMax)
  // Of those that storm joins, the worst network.
  assert.deepEqual(storm!.network, scenarios['lossy']!.network)
})

test('scenarios are joined by name: the worst of each, the weakest promise, the first one to say who is there', () => {
  const both = scenarioNamed('crashes+lossy')!
  assert.equal(both.faults.crashesMax, scenarios['crashes']!.faults.crashesMax)
  assert.equal(both.faults.clogsMax, scenarios['lossy']!.faults.clogsMax)
  assert.equal(both.network.lossProbability, scenarios['lossy']!.network.lossProbability)
  assert.equal(scenarioNamed('crashes+nonesuch'), undefined)
})

test('a file of somebody own extends the known ones, and is run', (t) => {
  const folder = folderWith(t, { 'mine.yaml': 'extends: lossy\nabout: mine\nworkload:\n  jobs: 2\n' })
  const mine = loadFile(join(folder, 'mine.yaml'), scenarioNamed)
  assert.deepEqual(
    [mine.name, mine.about, mine.workload.jobs, mine.peers],
    ['mine', 'mine', 2, scenarios['lossy']!.peers],
  )
  const args = ['sim/main.ts', 'model', '--scenario', join(folder, 'mine.yaml'), '--seeds', '3', '--json']
  const out = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
  assert.equal((JSON.parse(out) as { violations: number }).violations, 0)
})

const bad: readonly { readonly what: string; readonly text: string; readonly says: RegExp }[] = [
  { what: 'an unknown key', text: 'extends: calm\npeeers: 3', says: /peeers is not a key; did you mean peers\?/ },
  {
    what: 'an unknown key inside',
    text: 'extends: calm\nfaults: { crashMax: 1 }',
    says: /faults.crashMax is not a key; did you mean crashesMax\?/,
  },
  { what: 'a share over one', text: 'extends: calm\nlendShare: 1.5', says: /lendShare: / },
  { what: 'a vice that is none', text: 'extends: calm\nvices: [gluttony]', says: /vices/ },
  { what: 'something missing', text: 'about: alone', says: /peers: / },
  { what: 'a base that is none', text: 'extends: weather', says: /it extends weather, and there is no such scenario/ },
  { what: 'what is no YAML', text: 'a: [1,', says: /at line|flow|expected|Flow/ },
  { what: 'a text in the place of a number', text: 'extends: calm\npeers: many', says: /peers: / },
  { what: 'a file that is too long', text: `# ${'x'.repeat(70_000)}`, says: /it has more than 65536 bytes/ },
]

for (const { what, text, says } of bad) {
  test(`${what} in a scenario file is said, with its place`, (t) => {
    const folder = folderWith(t, { 'bad.yaml': text })
    const load = () => loadFile(join(folder, 'bad.yaml'), scenarioNamed)
    assert.throws(load, (error: unknown) => error instanceof ScenarioError && says.test(error.message))
  })
}

test('a file that is not there is said; one that extends itself too', (t) => {
  assert.throws(() => loadFile('/nowhere/x.yaml', scenarioNamed), /x.yaml: it cannot be read/)
  const folder = folderWith(t, { 'a.yaml': 'extends: b', 'b.yaml': 'extends: a' })
  assert.throws(() => loadFolder(folder), /it extends itself/)
})
