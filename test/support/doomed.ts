/** A provider that is killed at work, in a process of its own, and what must hold when it came back. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { verifyReceiptFile } from '../../protocols/receipt/verify.ts'
import type { PeerOptions } from '../../src/config/options.ts'
import type { Peer } from '../../src/node.ts'

const program = join(import.meta.dirname, '../node/doomed-provider.ts')
const startWithinMs = 60_000

export async function startDoomed(options: PeerOptions) {
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  const [said] = (await once(child.stdout, 'data', { signal: AbortSignal.timeout(startWithinMs) })) as [Buffer]
  return {
    name: said.toString().trim(),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** One receipt is the last of a lease, for more than nothing, and holds by itself. */
export async function assertPaidOnce({ control }: Pick<Peer, 'control'>): Promise<void> {
  const finals = (await control.receipts()).filter(({ final }) => final)
  assert.equal(finals.length, 1)
  assert.ok(verifyReceiptFile(await control.receiptFile(finals[0]!.lease)).ok)
  assert.ok(Number(finals[0]!.amount) > 0)
}
