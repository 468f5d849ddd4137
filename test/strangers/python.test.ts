/** A program in another language, written from the agreement alone, reads the golden vectors and finds the same in them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test } from 'node:test'

const reader = join(import.meta.dirname, 'read_vectors.py')
const vectors = join(import.meta.dirname, '..', 'vectors')
const skip =
  spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
    ? false
    : 'there is no python3 of at least 3.9 on this machine'

const read = (folder: string) => {
  // -B: no compiled files beside the sources.
  const { status, stdout, stderr } = spawnSync('python3', ['-B', reader, folder], { encoding: 'utf8' })
  assert.equal(stderr, '')
  return { status, lines: stdout.trim().split('\n') }
}

interface Case {
  readonly name: string
  readonly kind: string
  hex?: string
  receipts?: string[]
  settlements?: { statement: string; agreement: string }[]
  meaning?: { receipts?: number }
  readonly fault?: string
  readonly at?: string
}

/** `hex` with one bit of the byte in its middle turned over. */
function damaged(hex: string): string {
  const bytes = Buffer.from(hex, 'hex')
  bytes[bytes.length >> 1]! ^= 1
  return bytes.toString('hex')
}

/** Whether there was something to damage: what is a fault already stays as it is. */
function damage(one: Case): boolean {
  if (one.fault !== undefined || one.at !== undefined || one.hex === '') return false
  if (one.hex !== undefined) one.hex = damaged(one.hex)
  else if (one.receipts !== undefined) one.receipts = one.receipts.map(damaged)
  else if (one.settlements !== undefined)
    one.settlements = one.settlements.map((pair) => ({ ...pair, statement: damaged(pair.statement) }))
  else one.meaning = { ...one.meaning, receipts: 99 }
  return true
}

test('Python reads every vector as we do', { skip }, () => {
  const { status, lines } = read(vectors)
  assert.deepEqual(lines.slice(0, -1), [])
  assert.match(lines.at(-1)!, /^\d{3} vectors read, 0 wrong$/)
  assert.equal(status, 0)
})

test('Python sees every vector that has a bit turned over', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-vectors-'))
  try {
    const expected: string[] = []
    for (const path of globSync('*.json', { cwd: vectors }).toSorted()) {
      const text = readFileSync(join(vectors, path), 'utf8')
      const file = JSON.parse(text) as { keys?: unknown; cases: Case[] }
      if (file.keys !== undefined)
        for (const one of file.cases) if (damage(one)) expected.push(`${basename(path)}: ${one.name}`)
      // The lease by which chains are judged is read from here, and only its meaning is changed.
      writeFileSync(join(folder, path), JSON.stringify(file))
    }
    const { status, lines } = read(folder)
    assert.equal(status, 1)
    const missed = expected.filter((name) => !lines.some((line) => line.startsWith(`${name}: `)))
    assert.deepEqual(missed, [])
    assert.ok(expected.length > 80, `${expected.length} were damaged`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
