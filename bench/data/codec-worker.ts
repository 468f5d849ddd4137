/** A worker thread of the bench of the code: told by which seconds, it codes its share for a while, and answers with GB/s of data. */
import { parentPort, workerData } from 'node:worker_threads'

import { coding, speedOf, type CodecShare, type Seconds } from './codec-run.ts'

const share = workerData as CodecShare
const once = coding(share)
once()
parentPort!.on('message', (seconds: Seconds) => {
  parentPort!.postMessage(speedOf(share.run.k * share.run.stripBytes, once, seconds))
})
