// A provider whose result says another hash than that of the outputs it sends: what it made is not taken, and another does the work.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { copyFile, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'

import type { Executor } from '../../src/execution/executor.ts'
import { executor } from '../fixtures/executions.ts'
import { writesFile } from '../fixtures/programs.ts'
import { lendsNothing, Mesh } from '../support/mesh.ts'

const content = 'what was made'

/** The outputs that are hashed are others than those that are sealed and sent. */
const liar: Executor = {
  ...executor,
  async run(task, limits, watch, signal) {
    const result = await executor.run(task, limits, watch, signal)
    const path = `${task.outputsTarPath}.other`
    await copyFile(task.outputsTarPath, path)
    await using file = await open(path, 'r+')
    await file.write('X', 0)
    return { ...result, outputs: { ...result.outputs!, path } }
  },
}

test('outputs that are not those of the result are refused and cost nothing, and another provider is asked', async () => {
  await using mesh = await Mesh.of({ consumer: lendsNothing, liar: { ports: { executor: liar } }, honest: {} })
  await mesh.knows('consumer', ['liar', 'honest'])
  const module = await mesh.file('writes.wasm', writesFile('out/made', content))
  const out = join(mesh.folder, 'out')
  const spec = { module, out, priceMax: '5' }

  const { job } = await mesh.run('consumer', { ...spec, retries: 0, deny: [mesh.peer('honest').name] })
  assert.deepEqual([job.reason, job.code, job.stage, job.cost], ['exited', 'OUTPUTS_DIFFER', 'expired', '0'])
  assert.ok(!existsSync(out))

  const { job: again } = await mesh.run('consumer', { ...spec, retries: 1 })
  assert.deepEqual([again.stage, again.provider?.peer], ['paid', mesh.peer('honest').name])
  assert.equal(await readFile(join(out, 'made'), 'utf8'), content)
})
