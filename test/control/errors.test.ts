import assert from 'node:assert/strict'
import { test } from 'node:test'

import { statusOf, viewOf } from '../../src/control/errors.ts'
import { LedgerError } from '../../src/ledger/ledger-error.ts'

test('a full disk is no fault of the program, and a person is told what to do', () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  for (const thrown of [full, new LedgerError('LEDGER_FULL', 'there is no room to write to the ledger')]) {
    const view = viewOf(thrown)
    assert.deepEqual([view.error.code, view.error.exit, statusOf(view)], ['DISK_FULL', 6, 507])
    assert.equal(view.error.why, thrown.message)
  }
  assert.equal(viewOf(Object.assign(new Error('EIO'), { code: 'EIO' })).error.code, 'FAULT')
})
