// What a lease names is what is run, or nothing is.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { encodeJobManifest, type Grant, type StartOrder } from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import { RefusedError } from '../../protocols/wire/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { LeaseWorkshop, type WorkshopDeps } from '../../src/node/workshop.ts'
import { executor } from '../fixtures/executions.ts'
import { returns, spins } from '../fixtures/programs.ts'

const contentOf = (bytes: Uint8Array) => ({
  bytes: bytes.byteLength,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  object: null,
})

function leaseOf(module: Uint8Array): Lease {
  const { bytes } = encodeJobManifest({
    apiVersion: 'pleach/v1',
    kind: 'job',
    name: 'x',
    engine: 'wasi-preview1',
    module: contentOf(module),
    container: null,
    args: [],
    env: {},
    inputs: [],
    stdin: null,
    resources: {
      cpuMilli: 1,
      memoryBytes: 65_536,
      diskBytes: 0,
      wallMs: 1_000,
      logBytes: 1,
      outputBytes: 1,
      gas: null,
    },
    deterministic: false,
    code: { k: 1, m: 0 },
    price: { unit: 'credit', cpuHourMicroMax: 1, ceilingMicro: 1 },
    nonce: '',
  })
  const body = { manifest: bytes, cpuMilli: 1_000, wallMsMax: 1_000, memoryBytes: 65_536, reclaimMs: 1_000 }
  return { id: 'a'.repeat(64), award: { body } } as unknown as Lease
}

function orderOf(module: Uint8Array): StartOrder {
  const grant: Grant = {
    guestPath: '',
    kind: 'module',
    manifest: new Uint8Array(),
    key: new Uint8Array(),
    sources: [],
    inline: module,
  }
  return { module: grant, inputs: [], outputKey: new Uint8Array(32), outputKeepers: [] }
}

test('a module with another digest than the job manifest names is not run', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-workshop-'))
  t.after(async () => rm(folder, { recursive: true, force: true }))
  const deps = { folder, executor, clock: realClock, log: silentLog } as unknown as WorkshopDeps
  const workshop = new LeaseWorkshop(deps)
  await workshop.start([])
  const lease = leaseOf(returns)
  const signal = new AbortController().signal
  const flipped = returns.map((byte, at) => (at === returns.byteLength - 1 ? byte ^ 1 : byte))
  for (const wrong of [spins, returns.subarray(0, -1), flipped, new Uint8Array()]) {
    const error = await workshop.stage(lease, orderOf(wrong), signal).then(
      () => assert.fail('it was taken'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof RefusedError, String(error))
    assert.equal(error.code, 'INPUT_DIFFERS')
  }
  await workshop.stage(lease, orderOf(returns), signal)
  const { exit } = await workshop.run(lease, orderOf(returns), () => {}, signal)
  assert.deepEqual([exit.reason, exit.exitCode], ['exited', 0])
  workshop.clear(lease.id)
  workshop.stop()
  const other = new LeaseWorkshop(deps)
  await other.start([])
  assert.deepEqual(await readdir(folder), [])
})
