// Plants files that break the rules of tools/lint/import-directions.js, and files that keep them, and lints them all.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'

const root = join(import.meta.dirname, '..', '..')
const plugin = 'tools/lint/import-directions.js'
const rules = ['pleach/directions', 'pleach/packages', 'pleach/pure', 'pleach/clock'] as const
type Rule = (typeof rules)[number]

/** A file, what it holds, and the rule that it breaks, if any. */
type Case = [path: string, source: string, breaks?: Rule | undefined]

const imports = (from: string, target: string, breaks?: Rule): Case => [from, `import '${target}'`, breaks]

const cases: Record<string, Case[]> = {
  'sim, test → src → protocols': [
    imports('sim/world.ts', '../src/node.ts'),
    imports('sim/world.ts', '../protocols/wire/index.ts'),
    imports('sim/world.ts', '../test/helpers.ts', 'pleach/directions'),
    imports('test/sim/world.test.ts', '../../sim/world.ts'),
    imports('test/wire/frame.test.ts', '../../protocols/wire/frame.ts'),
    imports('bench/data/codec.ts', '../../src/node.ts'),
    imports('bench/data/codec.ts', '../../test/helpers.ts', 'pleach/directions'),
    imports('sim/world.ts', '../bench/paired.ts', 'pleach/directions'),
    imports('test/benches/report.test.ts', '../../bench/report.ts'),
    imports('src/market/policy.ts', '../../sim/random.ts', 'pleach/directions'),
    imports('src/node.ts', '../sim/random.ts', 'pleach/directions'),
    imports('src/node.ts', '../test/helpers.ts', 'pleach/directions'),
    imports('protocols/wire/frame.ts', '../../src/environment.ts', 'pleach/directions'),
    imports('protocols/bid/index.ts', '../../sim/random.ts', 'pleach/directions'),
    imports('examples/embed.ts', '../src/index.ts'),
    imports('examples/embed.ts', 'pleach'),
    imports('examples/embed.ts', '../sim/world.ts', 'pleach/directions'),
    imports('src/market/policy.ts', 'pleach', 'pleach/directions'),
    imports('bin/other.ts', '../src/main.ts'),
  ],
  'every way to import counts': [
    ['src/market/policy.ts', `import type { A } from '../host/index.ts'; export type B = A`, 'pleach/directions'],
    ['src/market/policy.ts', `export { a } from '../host/index.ts'`, 'pleach/directions'],
    ['src/market/policy.ts', `export * from '../host/index.ts'`, 'pleach/directions'],
    ['src/market/policy.ts', `export type A = import('../host/index.ts').A`, 'pleach/directions'],
    ['src/market/policy.ts', `await import('../host/index.ts')`, 'pleach/directions'],
    ['src/market/policy.ts', 'await import(`../host/index.ts`)', 'pleach/directions'],
    ['src/market/policy.ts', `export const f = (x: string) => import(x)`, 'pleach/directions'],
    ['src/market/policy.ts', `export const a = 1; export { a as b }`],
    imports('src/market/policy.ts', '../../../outside.ts', 'pleach/directions'),
    imports('src/market/policy.ts', 'file:///outside.ts', 'pleach/directions'),
    imports('src/market/policy.ts', '#outside', 'pleach/directions'),
    imports('src/market/policy.ts', '..//market/../host/index.ts', 'pleach/directions'),
  ],
  'protocols only downwards': [
    imports('protocols/settle/index.ts', '../receipt/index.ts'),
    imports('protocols/receipt/index.ts', '../settle/index.ts', 'pleach/directions'),
    imports('protocols/receipt/index.ts', '../negotiate/messages.ts'),
    imports('protocols/execute/index.ts', '../negotiate/messages.ts'),
    imports('protocols/execute/index.ts', '../erasure/index.ts'),
    imports('protocols/execute/index.ts', '../receipt/index.ts', 'pleach/directions'),
    imports('protocols/negotiate/index.ts', '../bid/index.ts'),
    imports('protocols/negotiate/index.ts', '../execute/index.ts', 'pleach/directions'),
    imports('protocols/negotiate/index.ts', '../transfer/index.ts', 'pleach/directions'),
    imports('protocols/bid/index.ts', '../capability/index.ts'),
    imports('protocols/capability/index.ts', '../bid/index.ts', 'pleach/directions'),
    imports('protocols/transfer/index.ts', '../erasure/index.ts'),
    imports('protocols/erasure/index.ts', '../transfer/index.ts', 'pleach/directions'),
    imports('protocols/erasure/index.ts', '../wire/index.ts'),
    imports('protocols/wire/index.ts', '../erasure/index.ts', 'pleach/directions'),
    imports('protocols/wire/index.ts', './frame.ts'),
    imports('protocols/novel/index.ts', '../wire/index.ts', 'pleach/directions'),
    imports('protocols/index.ts', './settle/index.ts'),
  ],
  'folders of src meet only in src/node.ts': [
    imports('src/market/policy.ts', '../ledger/store.ts', 'pleach/directions'),
    imports('src/market/policy.ts', '../config/schema.ts', 'pleach/directions'),
    imports('src/market/policy.ts', '../node.ts', 'pleach/directions'),
    imports('src/market/policy.ts', '../environment.ts'),
    imports('src/market/policy.ts', './rank/price.ts'),
    imports('src/market/rank/price.ts', '../policy.ts'),
    imports('src/market/policy.ts', '../../protocols/bid/index.ts'),
    imports('src/execution/child/main.ts', '../limits.ts'),
    imports('src/node.ts', './market/policy.ts'),
    imports('src/node.ts', './cli/index.ts', 'pleach/directions'),
    imports('src/environment.ts', './market/policy.ts', 'pleach/directions'),
    imports('src/require-node.ts', './environment.ts', 'pleach/directions'),
    imports('src/main.ts', './cli/index.ts'),
    imports('src/main.ts', './require-node.ts'),
    imports('src/main.ts', './node.ts', 'pleach/directions'),
    imports('src/index.ts', './node.ts'),
    imports('src/control/server.ts', '../config/schema.ts'),
    imports('src/control/server.ts', '../market/policy.ts', 'pleach/directions'),
  ],
  'the cli knows only the control API': [
    imports('src/cli/status.ts', '../control/client.ts'),
    imports('src/cli/status.ts', '../control/client/http.ts'),
    imports('src/cli/status.ts', '../control/api.ts'),
    imports('src/cli/status.ts', '../config/schema.ts'),
    imports('src/cli/status.ts', '../control/server.ts', 'pleach/directions'),
    imports('src/cli/status.ts', '../market/policy.ts', 'pleach/directions'),
    imports('src/cli/status.ts', '../node.ts', 'pleach/directions'),
    ['src/cli/status.ts', `await import('../node.ts')`, 'pleach/directions'],
    ['src/cli/up.ts', `await import('../node.ts')`],
    ['src/cli/devnet.ts', `await import('../node.ts')`],
    imports('src/cli/up.ts', '../node.ts', 'pleach/directions'),
    ['src/cli/up.ts', `await import('../host/index.ts')`, 'pleach/directions'],
    imports('src/cli/up.ts', './output.ts'),
    imports('src/cli/status.ts', 'libp2p', 'pleach/packages'),
  ],
  'libp2p only in src/host': [
    imports('src/host/index.ts', 'libp2p'),
    imports('src/host/index.ts', '@libp2p/tcp'),
    imports('src/host/index.ts', '@libp2p/gossipsub', 'pleach/packages'),
    imports('src/host/gossip.ts', '@libp2p/gossipsub'),
    imports('src/host/gossip.ts', '@libp2p/gossipsub/message'),
    imports('src/market/policy.ts', '@libp2p/peer-id', 'pleach/packages'),
    [
      'src/market/policy.ts',
      `import type { Stream } from '@libp2p/interface'; export type S = Stream`,
      'pleach/packages',
    ],
    imports('src/storage/place.ts', '@multiformats/multiaddr', 'pleach/packages'),
    imports('src/discovery/record.ts', 'datastore-core/level', 'pleach/packages'),
    imports('src/discovery/record.ts', 'interface-datastore', 'pleach/packages'),
    imports('src/discovery/record.ts', 'multiformats/cid'),
    imports('protocols/wire/frame.ts', '@libp2p/interface', 'pleach/packages'),
    imports('protocols/transfer/service.ts', '@libp2p/utils', 'pleach/packages'),
    imports('sim/world.ts', 'libp2p', 'pleach/packages'),
    imports('test/host/gossip.test.ts', 'libp2p'),
  ],
  'the verifier imports nothing but itself': [
    imports('verify/file.ts', './bytes.ts'),
    imports('verify/file.ts', 'node:crypto', 'pleach/directions'),
    imports('verify/file.ts', 'zod', 'pleach/directions'),
    imports('verify/file.ts', 'pleach', 'pleach/directions'),
    imports('verify/file.ts', '../protocols/wire/index.ts', 'pleach/directions'),
    ['verify/file.ts', `await import('zod')`, 'pleach/directions'],
    ['verify/file.ts', `export const f = (x: string) => import(x)`, 'pleach/directions'],
    imports('protocols/receipt/verify.ts', '../../verify/index.ts', 'pleach/directions'),
    imports('src/cli/receipt.ts', '../../verify/index.ts', 'pleach/directions'),
    imports('test/verify/verify.test.ts', '../../verify/index.ts'),
  ],
  'machines and codecs are pure': [
    ['protocols/bid/machine.ts', `export const a = Date.now()`, 'pleach/pure'],
    ['protocols/bid/codec.ts', `export const a = Date['now']()`, 'pleach/pure'],
    ['protocols/bid/codec.ts', `export const a = globalThis.Date.now()`, 'pleach/pure'],
    ['protocols/bid/codec.ts', `export const { now } = Date`, 'pleach/pure'],
    ['protocols/bid/messages.ts', `export const a = new Date()`, 'pleach/pure'],
    ['protocols/bid/messages.ts', `export const a = new Date(0)`],
    ['protocols/bid/messages.ts', `export const a = Date.UTC(2026, 1)`],
    ['protocols/erasure/code.ts', `export const a = Math.random()`, 'pleach/pure'],
    ['protocols/erasure/code.ts', `export const a = Math.floor(1.5)`],
    ['protocols/erasure/code.ts', `export const a = performance.now()`, 'pleach/pure'],
    ['protocols/erasure/code.ts', `export const a = crypto.randomUUID()`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `setTimeout(() => {}, 1)`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `setInterval(() => {}, 1)`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `setImmediate(() => {})`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `queueMicrotask(() => {})`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `export const f = globalThis.setTimeout`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `export const a = AbortSignal.timeout(1)`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `export const a = process.pid`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `export const f = (setTimeout: () => void): void => setTimeout()`],
    ['protocols/wire/frame.ts', `export const a = { setTimeout: 1, process: 2 }.setTimeout`],
    ['protocols/wire/frame.ts', `export type A = ReturnType<typeof setTimeout>`],
    ['protocols/wire/frame.ts', `export const f = (Date: { now(): number }): number => Date.now()`],
    imports('protocols/wire/frame.ts', 'node:fs', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:fs/promises', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'fs', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:net', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:child_process', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:timers/promises', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:http2', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:worker_threads', 'pleach/pure'),
    imports('protocols/wire/frame.ts', 'node:buffer'),
    ['protocols/wire/frame.ts', `await import('node:fs')`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `export * from 'node:fs'`, 'pleach/pure'],
    ['protocols/wire/frame.ts', `import type { Socket } from 'node:net'; export type S = Socket`],
    ['protocols/wire/hash.ts', `import { createHash, sign, createCipheriv } from 'node:crypto'; createHash('sha256')`],
    ['protocols/wire/hash.ts', `import { randomBytes } from 'node:crypto'; randomBytes(1)`, 'pleach/pure'],
    ['protocols/wire/hash.ts', `import { randomUUID as id } from 'node:crypto'; id()`, 'pleach/pure'],
    ['protocols/wire/hash.ts', `import { generateKeyPairSync } from 'node:crypto'`, 'pleach/pure'],
    ['protocols/wire/hash.ts', `import * as all from 'node:crypto'; all.randomBytes(1)`, 'pleach/pure'],
    ['protocols/wire/hash.ts', `import all from 'node:crypto'; all.randomBytes(1)`, 'pleach/pure'],
    ['protocols/transfer/service.ts', `setTimeout(() => {}, Date.now())`],
    ['protocols/wire/wire_pb.ts', `export const a = Date.now()`],
    ['src/execution/child/machine.ts', `export const a = Date.now()`, 'pleach/pure'],
    ['sim/network/machine.ts', `export const a = Math.random()`, 'pleach/pure'],
    ['src/market/award-machine.ts', `export const a = process.hrtime()`, 'pleach/pure'],
    ['src/market/award-machine.ts', `import { readFileSync } from 'node:fs'; readFileSync('')`, 'pleach/pure'],
  ],
  'a peer has its clock and its dice from outside': [
    ['src/market/policy.ts', `export const a = Date.now()`, 'pleach/clock'],
    ['src/market/policy.ts', `export const a = new Date()`, 'pleach/clock'],
    ['src/market/policy.ts', `export const a = new Date(5)`],
    ['src/market/policy.ts', `export const a = Math.random()`, 'pleach/clock'],
    ['src/market/policy.ts', `setTimeout(() => {}, 1)`, 'pleach/clock'],
    ['src/node.ts', `setInterval(() => {}, 1)`, 'pleach/clock'],
    ['src/market/policy.ts', `import { setTimeout } from 'node:timers/promises'; await setTimeout(1)`, 'pleach/clock'],
    ['src/metrics/loop.ts', `import { performance } from 'node:perf_hooks'; performance.now()`, 'pleach/clock'],
    ['src/metrics/loop.ts', `import { monitorEventLoopDelay } from 'node:perf_hooks'; monitorEventLoopDelay()`],
    ['src/ledger/store.ts', `import { readFileSync } from 'node:fs'; readFileSync(process.argv[1] ?? '')`],
    ['src/environment.ts', `setTimeout(() => {}, Date.now() + Math.random())`],
    ['src/cli/status.ts', `setTimeout(() => {}, Date.now() + Math.random())`],
    ['src/main.ts', `setTimeout(() => {}, Date.now())`],
    ['src/execution/child/main.ts', `setTimeout(() => {}, Date.now())`],
    ['sim/world.ts', `setTimeout(() => {}, Date.now())`],
    ['test/market/policy.test.ts', `setTimeout(() => {}, Date.now())`],
  ],
}

type Report = { diagnostics: { code: string; filename: string; message: string }[] }

describe('the rules of imports and purity', () => {
  const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-lint-'))
  const all = Object.entries(cases).flatMap(([group, list]) => list.map((it) => ({ group, it })))
  const reports = new Map<number, Report['diagnostics']>()

  before(() => {
    // One repository holds every case whose path it does not have yet, so that few runs are enough.
    const repositories: Map<string, number>[] = []
    for (const [index, { it }] of all.entries()) {
      let repository = repositories.find((files) => !files.has(it[0]))
      if (repository === undefined) repositories.push((repository = new Map()))
      repository.set(it[0], index)
    }
    for (const [number, files] of repositories.entries()) {
      const folder = join(world, String(number))
      for (const [path, index] of files) {
        mkdirSync(dirname(join(folder, path)), { recursive: true })
        writeFileSync(join(folder, path), `${all[index]?.it[1]}\n`)
      }
      cpSync(join(root, plugin), join(folder, plugin))
      writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
      const config = {
        plugins: [],
        jsPlugins: [`./${plugin}`],
        categories: { correctness: 'off' },
        rules: Object.fromEntries(rules.map((rule) => [rule, 'error'])),
      }
      writeFileSync(join(folder, '.oxlintrc.json'), JSON.stringify(config))
      const linter = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint')
      const { stdout, stderr } = spawnSync(process.execPath, [linter, '--format=json'], {
        cwd: folder,
        encoding: 'utf8',
      })
      const { diagnostics } = JSON.parse(stdout || assert.fail(stderr)) as Report
      for (const [path, index] of files) {
        reports.set(
          index,
          diagnostics.filter(({ filename }) => filename === path),
        )
        assert.deepEqual(
          diagnostics.filter(({ filename }) => !files.has(filename)),
          [],
        )
      }
    }
  })

  after(() => rmSync(world, { recursive: true, force: true }))

  for (const [index, { group, it }] of all.entries()) {
    const [path, source, breaks] = it
    test(`${group}: ${path} ${breaks === undefined ? 'may' : 'may not'}: ${source}`, () => {
      const found = reports.get(index) ?? assert.fail('was not linted')
      const broken = new Set(found.map(({ code }) => code.replace(/^(.*)\((.*)\)$/, '$1/$2')))
      assert.deepEqual([...broken], breaks === undefined ? [] : [breaks], JSON.stringify(found))
    })
  }

  test('the repository itself is linted by them', () => {
    const config = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8'))
    assert.ok(config.jsPlugins.includes(`./${plugin}`))
    for (const rule of rules) assert.equal(config.rules[rule], 'error')
  })
})
