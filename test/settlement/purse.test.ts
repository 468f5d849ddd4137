// The key that signs vouchers: made once, private, and refused when it is not what it was.
import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'

import { realRandom } from '../../src/environment.ts'
import { openPurse, PurseError } from '../../src/settlement/purse.ts'

const folder = await mkdtemp(join(tmpdir(), 'pleach-purse-'))
after(async () => rm(folder, { recursive: true, force: true }))

const refused = async (path: string): Promise<string> =>
  openPurse(path, realRandom).then(
    () => 'taken',
    (error: unknown) => (error instanceof PurseError ? error.code : String(error)),
  )

test('it is made when there is none, with nothing beside it, and is the same ever after', async () => {
  const path = join(folder, 'voucher-key')
  const purses = await Promise.all([1, 2, 3].map(async () => openPurse(path, realRandom)))
  const again = await openPurse(path, realRandom)
  assert.deepEqual(new Set(purses.map(({ address }) => address)), new Set([again.address]))
  assert.equal((await stat(path)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(folder), ['voucher-key'])
  const digest = new Uint8Array(32).fill(7)
  assert.deepEqual(again.sign(digest), purses[0]!.sign(digest))
})

test('one that others can read, one that was cut, and one that is no key are refused, and stay as they are', async () => {
  const path = join(folder, 'bad-key')
  for (const [bytes, mode, code] of [
    [new Uint8Array(32).fill(1), 0o644, 'VOUCHER_KEY_EXPOSED'],
    [new Uint8Array(31).fill(1), 0o600, 'VOUCHER_KEY_DAMAGED'],
    [new Uint8Array(0), 0o600, 'VOUCHER_KEY_DAMAGED'],
    [new Uint8Array(32), 0o600, 'VOUCHER_KEY_DAMAGED'],
    [new Uint8Array(32).fill(255), 0o600, 'VOUCHER_KEY_DAMAGED'],
  ] as const) {
    await writeFile(path, bytes)
    await chmod(path, mode)
    assert.equal(await refused(path), code)
    assert.deepEqual(new Uint8Array(await readFile(path)), bytes)
  }
})
