// The table of codes is whole: whatever the sources and the specifications can show has an entry, and no entry is of nothing.

import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { needs } from '../../protocols/bid/index.ts'
import { endReasons } from '../../protocols/execute/index.ts'
import { lackRefusal } from '../../src/market/decline.ts'
import { meaningOf, meanings } from '../../src/control/codes.ts'
import { Home, lastJson } from './command-line.ts'

const root = join(import.meta.dirname, '..', '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** Written like codes, and names of something else: variables of the environment, errors of the system, words of the DHT. */
const isNoCode = (word: string): boolean =>
  /^(XDG|PLEACH)_|^NODE_OPTIONS$|^(NO|FORCE)_COLOR$|^E(ACCES|ADDRINUSE|CONNREFUSED|DQUOT|EXIST|INVAL|NOENT|NOSPC|PERM)$|^(POST|NORMAL)$/.test(
    word,
  ) || /^(FIND_NODE|GET_PROVIDERS|GET_VALUE|PUT_VALUE|SEND_QUERY|QUERY_ERROR|PEER_RESPONSE|PATH_ENDED)$/.test(word)

/** The table itself shows nothing. */
const sources = globSync('{src,protocols}/**/*.ts', { cwd: root }).filter(
  (path) => !path.endsWith('_pb.ts') && !/src\/control\/codes/.test(path),
)

/** Words of two parts wherever they are quoted, and of one part where they stand as a code. */
const inSources = (): Set<string> => {
  const found = new Set<string>()
  for (const path of sources) {
    const text = read(path)
    for (const [, word] of text.matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g)) found.add(word!)
    for (const [, word] of text.matchAll(
      /(?:refusal\(|(?:Fault|Error)\(|\| |code(?:: | === |: [^,\n]*[?:] ))'([A-Z]+)'/g,
    ))
      found.add(word!)
    // Keys of tables of codes.
    for (const [, word] of text.matchAll(/^ {2}([A-Z]{3,}(?:_[A-Z0-9]+)*): (?:'|\[)/gm)) found.add(word!)
  }
  return found
}

/** The first cells of the tables of refusals, faults and objections, and whatever is named in two parts. */
const inReadmes = (): Set<string> => {
  const found = new Set<string>()
  for (const path of globSync(['protocols/*/README.md', 'src/market/README.md', 'src/cli/README.md'], { cwd: root })) {
    const text = read(path)
    for (const [, word] of text.matchAll(/`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`/g)) found.add(word!)
    for (const [, cell] of text.matchAll(/^\| ((?:`[A-Z_]+` ?)+)\|/gm)) {
      for (const [, word] of cell!.matchAll(/`([A-Z_]+)`/g)) found.add(word!)
    }
  }
  return found
}

/** Made of parts, and so to be found in no source as they are. */
const composed = new Set([
  ...needs.map((need) => lackRefusal({ need, wanted: 1, has: 0 }).code),
  ...endReasons.map((reason) => reason.toUpperCase().replaceAll('-', '_')),
  ...['malformed', 'truncated', 'mismatch'].map((flaw) => `CAR_${flaw.toUpperCase()}`),
])

const shown = new Set([...inSources(), ...inReadmes(), ...composed].filter((word) => !isNoCode(word)))

test('every code that can be shown has an entry', () => {
  assert.ok(shown.size > 120, `${shown.size} found`)
  assert.deepEqual([...shown].filter((code) => meaningOf(code) === undefined).toSorted(), [])
})

test('no entry is of a code that nothing shows, and none is there twice', () => {
  const codes = meanings.map(({ code }) => code)
  const quoted = sources.map(read).join('\n')
  const isAlive = (code: string): boolean => shown.has(code) || quoted.includes(`'${code}'`)
  assert.deepEqual(
    codes.filter((code) => !isAlive(code)),
    [],
  )
  assert.deepEqual(codes.toSorted(), [...new Set(codes)].toSorted())
})

test('each says something in every part, and is a line of a terminal', () => {
  for (const { code, means, why, cure } of meanings) {
    for (const part of [means, why, cure]) {
      assert.ok(part.length > 5, code)
      assert.ok(part.length < 150 && !part.includes('\n') && !part.endsWith('.'), `${code}: ${part}`)
    }
  }
})

describe('pleach explain', () => {
  const home = new Home()
  after(() => home.remove())

  test('a code, however it is written, with nobody to be asked', async () => {
    const { code, out, err } = await home.run(['explain', 'no-match'])
    assert.deepEqual([code, err], [0, ''])
    assert.match(
      out,
      /^NO_MATCH {2}\(of jobs and offers\)\n {2}what: nobody took the job\n {2}why: .+\n {2}cure: pleach offers --explain JOB .+\n$/,
    )
  })

  test('as an object; and all of them, as ids and as objects', async () => {
    const one = lastJson(await home.run(['explain', 'LACKS_CPU', '--json']))
    assert.deepEqual([one['v'], one['code']], [1, 'LACKS_CPU'])
    const all = await home.run(['explain', '-q'])
    assert.deepEqual(
      all.out.trimEnd().split('\n'),
      meanings.map(({ code }) => code),
    )
    assert.equal((lastJson(await home.run(['explain', '--json']))['codes'] as unknown[]).length, meanings.length)
    assert.match((await home.run(['explain'])).out, /^of other peers$/m)
  })

  test('a word that is none, with the nearest; exit 2', async () => {
    const { code, err } = await home.run(['explain', 'NO_MACH'])
    assert.equal(code, 2)
    assert.match(err, /"NO_MACH" is not a code .*\n {2}why: .*did you mean NO_MATCH\?/)
  })
})
