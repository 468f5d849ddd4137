import assert from 'node:assert/strict'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { hashLeaf, leafCount, verifyProof } from '../../protocols/erasure/index.ts'
import { BadBlockFault } from '../../protocols/transfer/index.ts'
import { realFiles } from '../../src/environment.ts'
import { Evidence, evidenceMax } from '../../src/storage/evidence.ts'
import { block, root, shardBytes } from '../transfer/other-peer.ts'

test('what was sent is kept so that it can be seen to be wrong, and no more of it than there is room for', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-evidence-'))
  try {
    const evidence = new Evidence(realFiles, folder)
    const bytes = block(3).bytes.slice()
    bytes[77]! ^= 4
    const fault = new BadBlockFault(
      'a block that is not of this shard',
      {},
      { root, shardBytes },
      { ...block(3), bytes },
      [],
    )
    await Promise.all(
      Array.from({ length: evidenceMax + 5 }, async (_, count) => evidence.keep('liar', fault, 1_000 + count)),
    )
    const names = (await readdir(join(folder, 'evidence'))).toSorted()
    assert.equal(names.length, evidenceMax)
    assert.equal(names[0], '1005-liar.json', 'the oldest gave way')
    const kept = JSON.parse(await readFile(join(folder, 'evidence', names[0]), 'utf8')) as Record<string, never>
    const {
      root: keptRoot,
      leaf,
      proof,
      bytes: keptBytes,
    } = kept as unknown as {
      root: string
      leaf: number
      proof: string[]
      bytes: string
    }
    const proves = (what: Uint8Array): boolean =>
      verifyProof(
        Buffer.from(keptRoot, 'hex'),
        leaf,
        leafCount(shardBytes),
        hashLeaf(what),
        proof.map((step) => Buffer.from(step, 'base64')),
      )
    assert.equal(proves(Buffer.from(keptBytes, 'base64')), false)
    assert.equal(proves(block(3).bytes), true)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
