/**
 * The limits and the codes of the READMEs are those of the code, both ways: each value in a table of limits is the value of
 * the constant, and each constant that is a limit stands in the table with a reason; each code that is sent stands in the README.
 */
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'

import { memories, protocolsWithReadme, sectionsInOrder, valuesElsewhere } from './protocols.ts'
import { codesIn, quoted, readText, readmeOf, tablesOf } from './tables.ts'
import { quantitiesOf, rateOf } from './quantities.ts'

const root = join(import.meta.dirname, '..', '..')

const sourcesOf = (protocol: string): string[] =>
  globSync(`protocols/${protocol}/*.ts`, { cwd: root })
    .filter((path) => !path.endsWith('_pb.ts'))
    .toSorted()

interface Limit {
  readonly name: string
  readonly value: string
  readonly why: string
}

/** Rows of the tables `| limit | value | why |`; two names in one row have two values. */
function limitsOf(protocol: string): Limit[] {
  return tablesOf(readmeOf(protocol))
    .filter(({ columns }) => columns.join() === 'limit,value,why')
    .flatMap(({ rows }) => rows)
    .flatMap(({ limit, value, why }) => {
      const names = quoted(limit!)
      const values = names.length === 1 ? [value!] : value!.split(/ \/ | in /)
      assert.equal(names.length, values.length, `${limit} has ${value}`)
      return names.map((name, index) => ({ name, value: values[index]!, why: why! }))
    })
}

type Exported = Readonly<Record<string, unknown>>

async function exportsOf(protocol: string): Promise<Exported> {
  const modules = await Promise.all(
    sourcesOf(protocol)
      .filter((path) => basename(path) !== 'index.ts' && !valuesElsewhere.includes(path))
      .map(async (path) => (await import(join(root, path))) as Exported),
  )
  return Object.assign({}, ...modules) as Exported
}

/** `const name = 64 * 1024` of every source, exported or not. */
function constantsOf(protocol: string): Map<string, number> {
  const constants = new Map<string, number>()
  for (const path of sourcesOf(protocol)) {
    if (valuesElsewhere.includes(path)) continue
    for (const [, name, value] of readText(path).matchAll(/^(?:export )?const (\w+)(?:: \w+)? = ([\d_ *]+)$/gm)) {
      const product = value!
        .replaceAll('_', '')
        .split(/(?<!\*)\*(?!\*)/)
        .map((factor) => factor.split('**').reduceRight((power, base) => Number(base) ** power, 1))
        .reduce((all, factor) => all * factor, 1)
      constants.set(name!, product)
    }
  }
  return constants
}

const isLimit = (name: string): boolean =>
  !memories.includes(name) && /(Max|Min|Ms|MsDefault|Bytes|Permille)$/.test(name)

/** The limits of a protocol as the code has them: constants, and the caps of `…Limits`. */
async function limitsInCode(protocol: string): Promise<Map<string, number>> {
  const found = new Map([...constantsOf(protocol)].filter(([name]) => isLimit(name)))
  for (const [name, value] of Object.entries(await exportsOf(protocol))) {
    if (typeof value === 'number' && isLimit(name)) found.set(name, value)
    if (name.endsWith('Limits'))
      for (const [cap, size] of Object.entries(value as Record<string, number>)) found.set(`${name}.${cap}`, size)
  }
  return found
}

for (const protocol of protocolsWithReadme) {
  test(`${protocol}: the README says the same things in the same order as all others`, () => {
    const text = readmeOf(protocol)
    const places = sectionsInOrder.map((section) => {
      const at = text.search(section)
      assert.ok(at >= 0, `protocols/${protocol}/README.md has no ${String(section)}`)
      return at
    })
    assert.deepEqual(
      places,
      places.toSorted((left, right) => left - right),
      String(sectionsInOrder.map(String)),
    )
  })

  test(`${protocol}: every limit of the README is the one of the code`, async () => {
    const inCode = await limitsInCode(protocol)
    const exported = await exportsOf(protocol)
    for (const { name, value, why } of limitsOf(protocol)) {
      assert.ok(why.length > 1 && why !== '–', `${name} has no reason`)
      const made = exported[name]
      if (typeof made === 'function') {
        for (const amount of [0, 1, 65_536, 2 ** 34])
          assert.equal((made as (of: number) => number)(amount), rateOf(value, amount), `${name} of ${amount}`)
        continue
      }
      assert.ok(inCode.has(name), `${name} is no limit of protocols/${protocol}`)
      for (const quantity of quantitiesOf(value, name)) assert.equal(quantity, inCode.get(name), `${name}: ${value}`)
    }
  })

  test(`${protocol}: every limit of the code is in the README`, async () => {
    const said = limitsOf(protocol).map(({ name }) => name)
    const missing = [...(await limitsInCode(protocol)).keys()].filter((name) => !said.includes(name))
    assert.deepEqual(missing, [])
    assert.equal(said.length, new Set(said).size, 'a limit stands there once')
  })

  test(`${protocol}: every code that is sent stands in the README`, () => {
    const text = readmeOf(protocol)
    const known = new Set(codesIn(text))
    const sent = sourcesOf(protocol).flatMap((path) => codesSentBy(readText(path)))
    assert.deepEqual(
      sent.filter((code) => !known.has(code)),
      [],
    )
  })
}

/** Codes in the source of refusals, of endings, and of faults: the README says what each means here. */
function codesSentBy(source: string): string[] {
  const patterns = [
    /\bcode: '([A-Z][A-Z0-9_]+)'/g,
    /\brefusal\('([A-Z][A-Z0-9_]+)'/g,
    /\babandon\(state, '([A-Z][A-Z0-9_]+)'/g,
    /\bnew Fault\(\s*'([A-Z][A-Z0-9_]+)'/g,
    /\bblame\(\s*state,(?: [\w.]+,)? '([A-Z][A-Z0-9_]+)'/g,
  ]
  return [...new Set(patterns.flatMap((pattern) => [...source.matchAll(pattern)].map(([, code]) => code!)))]
}

test('the codes of faults are those of the table in wire', () => {
  const type = /export type FaultCode =([^\n]*(?:\n +\| '[A-Z_]+')+)/.exec(readText('protocols/wire/fault.ts'))
  const inCode = [...(type?.[1] ?? '').matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code!)
  assert.ok(inCode.length > 5)
  const table = tablesOf(readmeOf('wire')).find(({ columns }) => columns[0] === 'code')
  assert.deepEqual(table?.rows.flatMap(({ code }) => codesIn(code!)).toSorted(), inCode.toSorted())
})

test('the codes of refusals in the READMEs are sent by somebody', () => {
  const sources = globSync('{protocols,src}/**/*.ts', { cwd: root }).map(readText).join('\n')
  for (const protocol of protocolsWithReadme)
    for (const { columns, rows } of tablesOf(readmeOf(protocol)))
      if (columns[0] === 'code')
        for (const code of rows.flatMap((row) => codesIn(row['code']!)))
          assert.ok(sources.includes(`'${code}'`), `${protocol}: ${code}`)
})

test('what a keeper refuses with stands in the READMEs of transfer and placement', () => {
  const known = ['transfer', 'placement'].flatMap((protocol) => codesIn(readmeOf(protocol)))
  const sent = globSync('src/storage/*.ts', { cwd: root }).flatMap((path) =>
    [...readText(path).matchAll(/\brefusal\('([A-Z_]+)'/g)].map(([, code]) => code!),
  )
  assert.ok(sent.length > 3)
  assert.deepEqual(
    sent.filter((code) => !known.includes(code)),
    [],
  )
})

test('the type of every statement stands in the table in wire', async () => {
  const named = new Set<string>()
  for (const protocol of protocolsWithReadme)
    for (const [name, value] of Object.entries(await exportsOf(protocol)))
      if (name.endsWith('Type') && typeof value === 'object')
        named.add(`${(value as { name: string }).name} ${(value as { version: number }).version}`)
  const table = tablesOf(readmeOf('wire')).find(({ columns }) => columns[0] === 'type')
  const said = table?.rows.flatMap(({ type, version }) => quoted(type!).map((name) => `${name} ${version}`))
  assert.deepEqual(said?.toSorted(), [...named].toSorted())
})

test('the caps of frames in the index are those of the protocols', async () => {
  const [table] = tablesOf(readText('protocols/README.md'))
  for (const row of table!.rows) {
    const protocol = /\]\((\w+)\/README\.md\)/.exec(row['id']!)?.[1]
    if (protocol === undefined || row['frame cap'] === '–') continue
    const inCode = await limitsInCode(protocol)
    const cap = [`${protocol}Limits.frameBytesMax`, `${protocol}BytesMax`].find((name) => inCode.has(name))
    assert.deepEqual(quantitiesOf(row['frame cap']!, protocol), [inCode.get(cap!)], protocol)
  }
})

test('quantities are read as they are written', () => {
  const forms: Readonly<Record<string, number[]>> = {
    '256 KiB': [262_144],
    '4,096': [4_096],
    '1 s': [1_000],
    '10 min': [600_000],
    '64 (4 MiB)': [64, 64],
    '120 in 60 s': [120],
    '20 ‰': [20],
    '2^53 − 1': [2 ** 53 - 1],
  }
  for (const [text, expected] of Object.entries(forms)) assert.deepEqual(quantitiesOf(text, text), expected)
  assert.equal(rateOf('2 min + bytes ÷ 16 KiB/s', 32_768), 122_000)
  for (const text of ['some', '5 parsecs', '']) assert.throws(() => quantitiesOf(text, 'x'))
})
