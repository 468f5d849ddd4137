// Bad words on the command line, and surroundings that are not as they should be.

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, describe, test } from 'node:test'

import { dispatch } from '../../src/cli/main.ts'
import { problemOf } from '../../src/cli/problem.ts'
import { Terminal } from '../../src/cli/terminal.ts'
import { Home, lastJson } from './command-line.ts'

const home = new Home()
after(() => home.remove())

describe('words that are none: exit 2, and the nearest that is', () => {
  const rows: [args: string, says: RegExp][] = [
    ['statsu', /"statsu" is not a command[^]*did you mean status\?/],
    ['constructor', /"constructor" is not a command/],
    ['--jobs', /"--jobs" stands before the command/],
    ['help statsu', /did you mean status\?/],
    ['status --jsn', /--jsn is not a flag of pleach status[^]*did you mean --json\?[^]*pleach status --help/],
    ['status -x', /-x is not a flag/],
    ['status --toString', /--toString is not a flag/],
    ['status --json=1', /--json takes no value/],
    ['status now', /"now" is one too many/],
    ['status -- now', /takes nothing behind --/],
    ['logs', /pleach logs needs JOB/],
    ['get x', /pleach get needs -o PATH/],
    ['get x -o - --unpack', /a folder cannot be written to stdout/],
    ['key exprot', /did you mean export\?/],
    ['key import', /pleach key import needs a string/],
    ['run', /pleach run needs MODULE/],
    ['run a.wasm b', /"b" is one too many for pleach run[^]*stand behind --[^]*pleach run a\.wasm -- b/],
    ['run --cpu', /--cpu needs a value/],
    ['run --cpu --json a.wasm', /--cpu needs a value[^]*looks like a flag[^]*--cpu=--json/],
    ['run --cpu two a.wasm', /--cpu two cannot be used[^]*write 2, 0\.5 or 500m/],
    ['run --memory 512m a.wasm', /write M \(millions\) or Mi/],
    ['run --timeout 30 a.wasm', /write 30s, 30m or 30h/],
    ['run --max-cost lots a.wasm', /an amount is a decimal number/],
    ['run --retries many a.wasm', /--retries many cannot be used/],
    ['run --check friends a.wasm', /--check friends cannot be used/],
    ['run --env novalue a.wasm', /--env NAME=VALUE/],
    ['run -f none.yaml', /none\.yaml does not describe a job[^]*no such file/],
    ['run -f typo.yaml', /memroyBytes is not a key; did you mean memoryBytes\?/],
    ['offers --sort beauty', /there are price, cpu, memory, name/],
    ['receipt shwo x', /did you mean show\?/],
    ['receipt show', /needs ID or FILE/],
    ['config set', /there is show/],
    ['status --profile ../x', /cannot be the name of a profile/],
    ['up --offer --cpu 0', /more than nothing/],
    ['up --prcie 1', /did you mean --price\?/],
  ]
  const typo = join(home.path, 'typo.yaml')
  writeFileSync(typo, 'module: a.wasm\nmemroyBytes: 1Gi\n')
  const terminal = new Terminal(new PassThrough() as never, new PassThrough() as never, { quiet: false, json: false })
  for (const [words, says] of rows) {
    test(words, async () => {
      const args = words.replace('typo.yaml', typo).split(' ')
      await assert.rejects(dispatch(args, terminal, home.env), (error) => {
        const { what, why, cure, exit } = problemOf(error)
        assert.equal(exit, 2, String(error))
        assert.match(`${what}\n${why}\n${cure}`, says)
        return true
      })
    })
  }

  test('said on stderr as what, why and cure', async () => {
    const { code, out, err } = await home.run(['statsu'])
    assert.deepEqual([code, out], [2, ''])
    assert.equal(
      err,
      'error: "statsu" is not a command (exit 2)\n  why: it is not known; did you mean status?\n  cure: pleach help\n',
    )
  })

  test('with --json the error is an object on stdout, and nothing is on stderr', async () => {
    const result = await home.run(['status', '--jsn', '--json'])
    assert.deepEqual([result.code, result.err], [2, ''])
    const { v, error } = lastJson(result) as { v: number; error: Record<string, unknown> }
    assert.deepEqual(
      [v, error['code'], error['exit'], Object.keys(error)],
      [1, 'USAGE', 2, ['code', 'what', 'why', 'cure', 'exit']],
    )
  })
})

describe('help', () => {
  test('of pleach and of a command, on stdout, exit 0', async () => {
    for (const args of [[], ['--help']]) {
      const { code, out } = await home.run(args)
      assert.equal(code, 0)
      assert.match(out, /^pleach: lend a machine/)
    }
    for (const args of [
      ['run', '--help'],
      ['run', '-h'],
      ['help', 'run'],
      ['run', '--help', '--cpu', '1'],
    ]) {
      const { code, out } = await home.run(args)
      assert.equal(code, 0)
      assert.match(out, /^usage: pleach run \[flags\] MODULE \[-- ARGS\]/)
      assert.match(out, /--max-cost AMOUNT +the most to pay/)
    }
  })

  test('lines fit a screen', async () => {
    for (const args of [
      ['help', 'run'],
      ['help', 'up'],
    ]) {
      const { out } = await home.run(args)
      for (const line of out.split('\n')) assert.ok(line.length <= 124, line)
    }
  })

  test('the version', async () => assert.match((await home.run(['--version'])).out, /^pleach \d+\.\d+\.\d+\n$/))
})

describe('surroundings', () => {
  test('no peer: what, why, cure; exit 5, and as JSON', async () => {
    const { code, err } = await home.run(['jobs'])
    assert.equal(code, 5)
    assert.match(err, /^error: no peer is running \(exit 5\)\n {2}why: nobody answers on .*\n {2}cure: pleach up\n$/)
    const { error } = lastJson(await home.run(['run', '--json', 'x.wasm'])) as { error: Record<string, unknown> }
    assert.deepEqual([error['code'], error['exit']], ['NO_PEER', 5])
  })

  test('no HOME: exit 6', async () => {
    const env = { HOME: '', XDG_DATA_HOME: '', XDG_CONFIG_HOME: '' }
    const { code, err } = await home.run(['status'], { env })
    assert.equal(code, 6)
    assert.match(err, /HOME is empty, and XDG_CONFIG_HOME is not set/)
  })

  test('a config.yaml with a misspelt key: exit 2, where it is used', async () => {
    const folder = join(home.path, 'config', 'pleach')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'config.yaml'), 'prcie: 1\n')
    const { code, err } = await home.run(['config', 'show'])
    assert.equal(code, 2)
    assert.match(err, /prcie is not a key; did you mean price\?/)
    // A plain command does not read it, and is not kept from telling that no peer runs.
    assert.equal((await home.run(['status'])).code, 5)
    writeFileSync(join(folder, 'config.yaml'), '')
    assert.equal((await home.run(['config', 'show'])).code, 0)
  })

  test('a runtime folder with a path too long for a socket still works', async () => {
    const env = { XDG_RUNTIME_DIR: join(home.path, 'x'.repeat(100)) }
    const { code, err } = await home.run(['status'], { env })
    assert.equal(code, 5)
    assert.match(err, /nobody answers on .*pleach-\d+\/[0-9a-f]{16}\.sock/)
  })

  test('colours only where they are wanted', async () => {
    const plain = await home.run(['statsu'], { env: { NO_COLOR: undefined } })
    assert.ok(!plain.err.includes('\u001b'))
    const forced = await home.run(['statsu'], { env: { NO_COLOR: undefined, FORCE_COLOR: '1' } })
    assert.ok(forced.err.includes('\u001b[31merror:'))
  })
})
