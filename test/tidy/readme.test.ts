import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const promised = ['npm ci && npm run demo', 'npm ci && npm test']

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/^```sh\n(.*?)\n```$/gms)].map((found) => found[1] ?? '')

test('the README begins with its name and a paragraph that says what this is', () => {
  const [title, paragraph] = readme.split('\n\n')
  assert.equal(title, '# pleach')
  assert.match(paragraph ?? '', /^[A-Z][^#`]{40,}/)
})

test('the README gives the two commands, each in a block of its own', () => {
  assert.deepEqual(
    blocks.filter((block) => block.includes('npm ci')),
    promised,
  )
})

test('CI runs what the README says', () => {
  accessSync(join(root, '.ci/run'), constants.X_OK)
  assert.deepEqual(execFileSync(join(root, '.ci/run'), ['--list'], { encoding: 'utf8' }).trim().split('\n'), promised)
})

test('what the two commands run exists', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  for (const command of promised) {
    const name = command.replace(/^npm ci && npm (run )?/, '')
    assert.ok(typeof scripts[name] === 'string', `package.json has no script ${name}`)
  }
})
