// A provider as a process of its own, to be killed. Says on standard output when it is ready, and then only works.
// node test/node/doomed-provider.ts OPTIONS-AS-JSON

import type { PeerOptions } from '../../src/config/options.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import { createPeer } from '../../src/node.ts'

const options = JSON.parse(process.argv[2] ?? '') as PeerOptions
const peer = await createPeer(options, { clock: realClock, random: realRandom, log: silentLog })
await peer.ready(AbortSignal.timeout(20_000))
process.stdout.write(`${peer.name}\n`)
