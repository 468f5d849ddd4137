// The package as it is installed elsewhere: packed, unpacked into an empty project, and used there in plain JavaScript and in TypeScript.
// Nothing is fetched: what it depends on is linked from here.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'

import { prints } from '../fixtures/programs.ts'

const root = join(import.meta.dirname, '..', '..')
const modules = join(root, 'node_modules')
const withinMs = 90_000
const env = { ...process.env, PATH: `${join(modules, '.bin')}${delimiter}${process.env['PATH']}` }
const runFile = promisify(execFile)
const run = async (file: string, args: string[], cwd: string) => runFile(file, args, { cwd, env, timeout: withinMs })

/** Made by packing, and of no use in a checkout. */
const built = join(root, 'dist')
let project: string
before(async () => {
  const isThere = existsSync(built)
  project = await realpath(await mkdtemp(join(tmpdir(), 'pleach-package-')))
  await run('npm', ['pack', '--offline', '--pack-destination', project], root)
  await run('tar', ['-xzf', (await readdir(project)).find((name) => name.endsWith('.tgz'))!], project)
  if (!isThere) await rm(built, { recursive: true })
  const { dependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  await mkdir(join(project, 'node_modules'))
  await run('mv', ['package', 'node_modules/pleach'], project)
  for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types']) {
    await mkdir(join(project, 'node_modules', name, '..'), { recursive: true })
    await symlink(join(modules, name), join(project, 'node_modules', name))
  }
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
})
after(async () => rm(project, { recursive: true, force: true }))

test('a program in plain JavaScript runs a job, and hears why another is not run', async () => {
  await writeFile(join(project, 'says.wasm'), prints([1, 'from a package']))
  await writeFile(
    join(project, 'main.js'),
    `import { createPeer, JobError } from 'pleach'
import { testnet } from 'pleach/testing'
import { wire } from 'pleach/protocols'
import { needs } from 'pleach/protocols/bid'

await using net = await testnet({ peers: 2 })
await using peer = await createPeer({ network: 'testnet-1', bootstrap: net.requester.addresses() })
const small = { memory: '64Mi', disk: '1Mi', outputBytes: 2 ** 20, logBytes: 2 ** 20 }
// It has only just come, and may know nobody yet.
const job = await peer.run({ module: 'says.wasm', ...small, wait: '20s' })
const text = await job.text()
const refused = await (await peer.run({ module: 'says.wasm', ...small, cpu: 64, wait: 1000 })).done.catch((error) => error)
console.log(JSON.stringify({
  text, receipt: job.receipt.cid.slice(0, 7), code: refused.code, isTyped: refused instanceof JobError,
  excluded: refused.excluded.length, parts: [typeof wire.sha256, needs[0]],
}))
`,
  )
  const { stdout } = await run(process.execPath, ['main.js'], project)
  assert.deepEqual(JSON.parse(stdout), {
    text: 'from a package',
    receipt: 'bafkrei',
    code: 'NO_MATCH',
    isTyped: true,
    excluded: 1,
    parts: ['function', 'runtime'],
  })
})

test('its types say what is there and what is not', async () => {
  await writeFile(
    join(project, 'main.ts'),
    `import { createPeer, JobError, type Job, type Receipt } from 'pleach'
import { testnet } from 'pleach/testing'
import { erasure } from 'pleach/protocols'
import { lacksOf } from 'pleach/protocols/bid'
import { verifyReceipts, type Verdict } from 'pleach/verify'

export async function check(file: Blob): Promise<string> {
  const verdict: Verdict = await verifyReceipts(await file.text())
  if (!verdict.ok) return [verdict.at, verdict.code].join(' ')
  const isOfWork = verdict.kind === 'pleach-receipts'
  return isOfWork ? [verdict.payable, verdict.unit, verdict.usage.gas].join(' ') : [verdict.keeper, verdict.usage.storeMibS].join(' ')
}

export async function use(signal: AbortSignal): Promise<Receipt> {
  await using peer = await createPeer({ signal })
  await using net = await testnet({ peers: 5, seed: 1 })
  const job: Job = await net.requester.run({ module: './sum.wasm', args: ['1', '2'], cpu: 2 }, { signal })
  for await (const event of job.events()) console.error(event.stage)
  try {
    const text: string = await job.text({ signal })
    console.log(text, job.receipt.cid, peer.id, erasure, lacksOf)
  } catch (error) {
    if (error instanceof JobError && error.code === 'NO_MATCH') console.error(error.excluded[0]?.requirement)
  }
  const [provider] = await peer.findProviders({ gpu_type: '4090', min_vram_gb: 24, region: 'eu' }, { signal })
  console.log(provider?.price)
  // @ts-expect-error -- there is no such key
  await peer.run({ module: './sum.wasm', cpus: 2 })
  return job.receipt
}
`,
  )
  const options = { module: 'nodenext', target: 'es2024', lib: ['es2024', 'esnext.disposable'], types: ['node'] }
  await writeFile(
    join(project, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: { ...options, strict: true, noEmit: true, skipLibCheck: false },
      files: ['main.ts'],
    }),
  )
  const { stdout } = await run('tsc', ['-p', '.'], project).catch((error: unknown) => error as { stdout: string })
  // Their own declarations are theirs to mend.
  const ours = stdout.split('\n').filter((line) => /^(main\.ts|node_modules\/pleach\/)/.test(line))
  assert.deepEqual(ours, [])
})

test('its verifier is one file, which runs where nothing else is', async () => {
  const packed = join(project, 'node_modules', 'pleach')
  const elsewhere = await mkdtemp(join(tmpdir(), 'pleach-alone-'))
  try {
    await copyFile(join(packed, 'dist', 'verify.js'), join(elsewhere, 'verify.mjs'))
    const says = `import { verifyReceipts } from './verify.mjs'; console.log((await verifyReceipts('{"v":2}')).at)`
    assert.equal((await run(process.execPath, ['--input-type=module', '-e', says], elsewhere)).stdout, 'v\n')
    const named = `import { verifyReceipts } from 'pleach/verify'; console.log((await verifyReceipts('{"v":2}')).at)`
    assert.equal((await run(process.execPath, ['--input-type=module', '-e', named], project)).stdout, 'v\n')
  } finally {
    await rm(elsewhere, { recursive: true })
  }
})

test('its command runs, without a checkout', async () => {
  const command = join(project, 'node_modules', 'pleach', 'bin', 'pleach.js')
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  assert.equal((await run(process.execPath, [command, '--version'], project)).stdout, `pleach ${version}\n`)
  assert.match((await run(process.execPath, [command, 'explain', 'BUSY'], project)).stdout, /^BUSY /)
})

test('it has what others need to speak with it, and no sources and tests', async () => {
  const packed = join(project, 'node_modules', 'pleach')
  assert.deepEqual(
    (await readdir(packed)).filter((name) => /^(src|test|sim|bench|node_modules)$/.test(name)),
    [],
  )
  assert.ok((await readdir(join(packed, 'protocols', 'bid'))).includes('wire.proto'))
  assert.ok((await readdir(packed)).includes('LICENSE-MIT'))
})
