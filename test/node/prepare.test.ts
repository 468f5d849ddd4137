// What is asked of a job that no engine could do is a mistake, said before any file is read.

import assert from 'node:assert/strict'
import { test } from 'node:test'

import { ControlError, type JobSpec } from '../../src/control/api.ts'
import { prepareJob, type PrepareDeps } from '../../src/node/prepare.ts'

const never = (): never => assert.fail('it is not to come to that')
const deps: PrepareDeps = {
  seal: never,
  packFolder: never,
  parseCode: () => ({ k: 1, m: 0 }),
  nonce: () => '',
  unit: 'credit',
}

for (const [what, over, why] of [
  ['a limit of gas', { gasMax: 1 }, /instructions of a container/],
  ['the deterministic profile', { deterministic: true }, /time and chance of a container/],
] as const) {
  test(`${what} is not for images`, async () => {
    for (const image of ['/nowhere/image.tar', `registry.example/a@sha256:${'ab'.repeat(32)}`]) {
      const spec: JobSpec = { image, ...over }
      await assert.rejects(prepareJob(spec, deps, new AbortController().signal), (error: unknown) => {
        assert.ok(error instanceof ControlError, String(error))
        assert.equal(error.code, 'BAD_SPEC')
        assert.match(error.why, why)
        return true
      })
    }
  })
}
