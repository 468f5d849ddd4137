// What a stranger says to a running peer: nonsense costs it its standing, a lawful question gets a lawful no, and neither
// disturbs the work that goes on meanwhile.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import {
  decodeExecution,
  encodeExecution,
  encodeJobManifest,
  executeLimits,
  executeProtocol,
  type Execution,
  type JobManifest,
} from '../../protocols/execute/index.ts'
import {
  decodeNegotiation,
  encodeNegotiation,
  negotiateLimits,
  negotiateProtocol,
  sealAward,
  sealCommit,
  type Award,
  type Negotiation,
  type Notary,
} from '../../protocols/negotiate/index.ts'
import { encodeBilling, noUsage, receiptProtocol, sealReceipt } from '../../protocols/receipt/index.ts'
import { decodeTransfer, encodeTransfer, transferLimits, transferProtocol } from '../../protocols/transfer/index.ts'
import { cidOfDocument, encodeFrame, freeTariff, refusal, sha256 } from '../../protocols/wire/index.ts'
import { realRandom } from '../../src/environment.ts'
import { identityFromSeed, type Host } from '../../src/host/index.ts'
import { sleeps } from '../fixtures/programs.ts'
import { hostOf } from '../host/network.ts'
import { stranger, type Stranger } from '../host/stranger.ts'
import { eventually, inTime, lendsNothing, Mesh, storyOf, type Story } from '../support/mesh.ts'

const text = 'still at it\n'
let mesh: Mesh
let jobGoing: string
let lease: string
let going: Promise<Story>
before(async () => {
  mesh = await Mesh.of({ consumer: lendsNothing, worker: {} })
  await mesh.knows('consumer', ['worker'])
  const { control } = mesh.peer('consumer')
  const { id } = await control.submit({ module: await mesh.file('sleeps.wasm', sleeps(5_000, text)) }, inTime())
  await storyOf(mesh.peer('consumer'), id, 'log')
  jobGoing = id
  lease = (await control.job(id)).lease ?? assert.fail('the job runs without a lease')
  going = storyOf(mesh.peer('consumer'), id)
  going.catch(() => {})
})
after(async () => mesh[Symbol.asyncDispose]())

const addressOf = (name: string): string => mesh.peer(name).addresses()[0]!
const standingWith = async (name: string, peer: string): Promise<string | undefined> =>
  (await mesh.peer(name).control.peers()).peers.find((view) => view.peer === peer)?.standing
const unknownStanding = '0.50'
/** After one fault and nothing good. */
const brokenStanding = '0.10'

const manifest: JobManifest = {
  apiVersion: 'pleach/v1',
  kind: 'job',
  name: 'never',
  engine: 'wasi-preview1',
  module: { bytes: 1, sha256: '00'.repeat(32), object: null },
  container: null,
  args: [],
  env: {},
  inputs: [],
  stdin: null,
  resources: {
    cpuMilli: 1_000,
    memoryBytes: 65_536,
    diskBytes: 0,
    wallMs: 1_000,
    logBytes: 1_000,
    outputBytes: 1_000,
    gas: null,
  },
  deterministic: false,
  code: { k: 1, m: 0 },
  price: { unit: 'credit', cpuHourMicroMax: 5_000_000, ceilingMicro: 1_000_000 },
  nonce: 'a0'.repeat(16),
}
const { job, bytes: manifestBytes } = encodeJobManifest(manifest)

const awardTo = (provider: string): Award => ({
  job,
  slot: 0,
  epoch: 1,
  provider,
  offer: new Uint8Array(32),
  unit: 'credit',
  ...freeTariff,
  cpuHourMicro: 1_000_000,
  cpuMilli: 1_000,
  memoryBytes: 65_536,
  diskBytes: 0,
  gpus: 0,
  wallMsMax: 1_000,
  ceilingMicro: 1_000_000,
  paymentIntervalMs: 5_000,
  paymentIntervalMsMax: 60_000,
  reclaimMs: 20_000,
  bondMicro: 0,
  issuedMs: Date.now(),
  acceptByMs: Date.now() + 4_000,
  manifest: manifestBytes,
})

const commitOf = (notary: Notary) => {
  const issuedMs = Date.now()
  return sealCommit(notary, { lease: new Uint8Array(32), accept: new Uint8Array(32), issuedMs })
}
const receiptOf = (notary: Notary, of: string) =>
  sealReceipt(notary, {
    lease: of,
    job,
    slot: 0,
    epoch: 1,
    requester: mesh.peer('consumer').name,
    sequence: 1,
    previous: new Uint8Array(32),
    usage: { ...noUsage, wallMs: 1, cpuMs: 1 },
    unit: 'credit',
    amountMicro: 1,
    final: true,
    result: cidOfDocument(new Uint8Array(1)),
    issuedMs: Date.now(),
  })
const withLastByteChanged = (bytes: Uint8Array): Uint8Array => bytes.with(-1, bytes.at(-1)! ^ 1)
const strangeNotary = (network = mesh.network): Notary => ({
  network,
  signer: identityFromSeed(realRandom.bytes(32)).signer,
})

const protocols = [negotiateProtocol, executeProtocol, receiptProtocol, transferProtocol]
const nonsense: [string, readonly string[], () => Uint8Array][] = [
  ['garbage', protocols, () => encodeFrame(Uint8Array.from({ length: 200 }, () => 0xff))],
  ['a frame that ends before its length', protocols, () => encodeFrame(new Uint8Array(100)).subarray(0, 50)],
  ['a length over the cap', protocols, () => Uint8Array.of(0xff, 0xff, 0xff, 0x7f, 1, 2, 3)],
  ['a length without end', protocols, () => new Uint8Array(16).fill(0xff)],
  ['an empty frame', protocols, () => encodeFrame(new Uint8Array())],
  [
    'a COMMIT with a wrong signature',
    [negotiateProtocol],
    () => {
      const commit = commitOf(strangeNotary())
      const envelope = withLastByteChanged(commit.envelope)
      return encodeFrame(encodeNegotiation({ say: 'commit', commit: { ...commit, envelope } }))
    },
  ],
  [
    'a COMMIT of another network',
    [negotiateProtocol],
    () => encodeFrame(encodeNegotiation({ say: 'commit', commit: commitOf(strangeNotary('another')) })),
  ],
  [
    'an AWARD with another manifest than it names',
    [negotiateProtocol],
    () => {
      const award = sealAward(strangeNotary(), { ...awardTo(mesh.peer('worker').name), manifest: new Uint8Array(9) })
      return encodeFrame(encodeNegotiation({ say: 'award', award }))
    },
  ],
  [
    'a receipt with a wrong signature',
    [receiptProtocol],
    () => {
      const receipt = receiptOf(strangeNotary(), lease)
      const envelope = withLastByteChanged(receipt.envelope)
      return encodeFrame(encodeBilling({ say: 'receipt', receipt: { ...receipt, envelope } }))
    },
  ],
  [
    'a block that nobody asked for',
    [transferProtocol],
    () => encodeFrame(encodeTransfer({ say: 'block', leaf: 0, proof: [], bytes: new Uint8Array(100) })),
  ],
]

const connectionTo = async (name: string, raw: Stranger) => {
  await mesh.peer(name).control.join(raw.getMultiaddrs()[0]!.toString(), inTime())
  await eventually('they are connected', () => raw.getConnections().length > 0)
  return raw.getConnections()[0]!
}

/** A peer of the same network and the same software, which says what it should not. */
const cousin = async (): Promise<{ host: Host; notary: Notary } & AsyncDisposable> => {
  const identity = identityFromSeed(realRandom.bytes(32))
  const host = await hostOf({ network: mesh.network }, { identity })
  await host.start()
  for (const name of ['worker', 'consumer']) await host.dial(addressOf(name), inTime())
  return {
    host,
    notary: { network: mesh.network, signer: identity.signer },
    [Symbol.asyncDispose]: async () => host.stop(),
  }
}

test('a stranger can neither stop, follow, bill nor release what is of others', async () => {
  await using other = await cousin()
  const worker = mesh.peer('worker').name
  const consumer = mesh.peer('consumer').name
  const heard: Execution[] = []
  await other.host.streams.handle(executeProtocol, executeLimits, async (channel) => {
    for (let frame = await channel.read(inTime()); frame !== undefined; frame = await channel.read(inTime()))
      heard.push(decodeExecution(frame))
  })
  const open = async (peer: string, protocol: string) =>
    other.host.streams.open(peer, protocol, { frameBytesMax: 2 ** 20, streamsPerPeerMax: 4 }, inTime())
  const execute = await open(worker, executeProtocol)
  const watched = await open(consumer, executeProtocol)
  for (const say of ['cancel', 'unknown', 'result-seen', 'started'] as const) {
    await execute.write(encodeExecution({ lease, say }), inTime())
    await watched.write(encodeExecution({ lease, say }), inTime())
  }
  await execute.write(
    encodeExecution({ lease, say: 'follow', stdoutOffset: 0, stderrOffset: 0, creditBytes: 1_000 }),
    inTime(),
  )
  const bytes = new TextEncoder().encode('forged\n')
  await watched.write(encodeExecution({ lease, say: 'log', channel: 'stdout', offset: 12, bytes }), inTime())
  const billed = await open(consumer, receiptProtocol)
  await billed.write(encodeBilling({ say: 'receipt', receipt: receiptOf(other.notary, lease) }), inTime())
  const negotiated = await open(worker, negotiateProtocol)
  await negotiated.write(encodeNegotiation({ say: 'release', job: jobGoing, because: refusal('NOT_CHOSEN') }), inTime())
  await negotiated.write(encodeNegotiation({ say: 'commit', commit: commitOf(other.notary) }), inTime())
  // What is said on one stream is heard in order: by these answers the rest has been heard too.
  const nothing = 'ff'.repeat(32)
  for (const channel of [execute, watched])
    await channel.write(encodeExecution({ lease: nothing, say: 'cancel' }), inTime())
  await eventually('both have answered', () => heard.length >= 2)
  const unknown = { lease: nothing, say: 'unknown' }
  assert.deepEqual(heard, [unknown, unknown])
  for (const channel of [execute, watched, billed, negotiated]) channel.abort(new Error('enough'))
  const [running] = await mesh.peer('worker').control.jobs()
  assert.equal(running?.stage, 'running')
})

for (const [what, over, bytesOf] of nonsense) {
  test(`${what} ends the stream, and costs the stranger its standing`, async () => {
    for (const protocol of over) {
      const raw = await stranger(['noise'], mesh.network)
      try {
        const name = raw.peerId.toString()
        const connection = await connectionTo('worker', raw)
        assert.equal(await standingWith('worker', name), unknownStanding)
        const stream = await connection.newStream(protocol, { signal: inTime() })
        const ended = Promise.withResolvers<void>()
        stream.addEventListener('close', () => ended.resolve(), { once: true })
        stream.send(bytesOf())
        await stream.close({ signal: inTime() }).catch(() => {})
        await ended.promise
        await eventually(`the fault is held against the stranger (${protocol})`, async () => {
          return (await standingWith('worker', name)) === brokenStanding
        })
      } finally {
        await raw.stop()
      }
    }
  })
}

test('an AWARD of what nobody offered is refused in good order', async () => {
  await using other = await cousin()
  const worker = mesh.peer('worker').name
  const heard = Promise.withResolvers<Negotiation>()
  await other.host.streams.handle(negotiateProtocol, negotiateLimits, async (channel) => {
    const frame = await channel.read(inTime())
    if (frame !== undefined) heard.resolve(decodeNegotiation(other.notary, frame))
  })
  const channel = await other.host.streams.open(worker, negotiateProtocol, negotiateLimits, inTime())
  const award = sealAward(other.notary, awardTo(worker))
  await channel.write(encodeNegotiation({ say: 'award', award }), inTime())
  const refusal = { code: 'NO_SUCH_OFFER', facts: {} }
  assert.deepEqual(await heard.promise, { say: 'refuse', place: { job, slot: 0, epoch: 1 }, refusal })
  assert.equal(await standingWith('worker', other.host.peer), unknownStanding)
  channel.abort(new Error('enough'))
})

test('a shard is given and taken only as agreed', async () => {
  await using other = await cousin()
  const worker = mesh.peer('worker').name
  const ask = async (message: Parameters<typeof encodeTransfer>[0]) => {
    const channel = await other.host.streams.open(worker, transferProtocol, transferLimits, inTime())
    await channel.write(encodeTransfer(message), inTime())
    const frame = await channel.read(inTime())
    return { channel, answer: decodeTransfer(frame ?? assert.fail('no answer')) }
  }
  const codeOf = async (message: Parameters<typeof encodeTransfer>[0]): Promise<string> => {
    const { answer, channel } = await ask(message)
    channel.abort(new Error('enough'))
    return answer.say === 'refused' ? answer.refusal.code : answer.say
  }
  const root = sha256(Uint8Array.of(1))
  const soonMs = Date.now() + 60_000
  assert.equal(await codeOf({ say: 'get', root }), 'NOT_FOUND')
  assert.equal(await codeOf({ say: 'put', root, shardBytes: 2 ** 33, keepUntilMs: soonMs }), 'NO_SPACE')
  const lateMs = Date.now() + 365 * 24 * 3_600_000
  assert.equal(await codeOf({ say: 'put', root, shardBytes: 100, keepUntilMs: lateMs }), 'TERM_TOO_LONG')
  assert.equal(await standingWith('worker', other.host.peer), unknownStanding)

  const { answer, channel } = await ask({ say: 'put', root, shardBytes: 100, keepUntilMs: soonMs })
  assert.equal(answer.say, 'want')
  await channel.write(encodeTransfer({ say: 'block', leaf: 0, proof: [], bytes: new Uint8Array(100) }), inTime())
  await assert.rejects(channel.read(inTime()))
  await eventually('the wrong block is held against the stranger', async () => {
    return (await standingWith('worker', other.host.peer)) === brokenStanding
  })
  assert.equal((await mesh.peer('worker').control.status()).keeping.shards, 0)
})

test('more streams than a peer may have are refused, and cost nobody else theirs', async () => {
  const raw = await stranger(['noise'], mesh.network)
  try {
    const connection = await connectionTo('worker', raw)
    const opened = await Promise.allSettled(
      Array.from({ length: 32 }, async () => connection.newStream(negotiateProtocol, { signal: inTime() })),
    )
    const streams = opened.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    await eventually('most of them are refused', () => {
      const open = streams.filter((stream) => stream.status === 'open').length
      return open <= negotiateLimits.streamsPerPeerMax
    })
    assert.equal(await standingWith('worker', raw.peerId.toString()), unknownStanding)
  } finally {
    await raw.stop()
  }
})

test('the job that ran meanwhile is done and paid as if nothing had been', async () => {
  const story = await going
  assert.equal(story.job.stage, 'paid')
  assert.equal(story.job.exitCode, 1)
  assert.equal(story.bytes('stdout').toString(), text + text)
  assert.deepEqual(story.all('replacing'), [])
  for (const [name, other] of [
    ['consumer', 'worker'],
    ['worker', 'consumer'],
  ] as const) {
    await eventually('both think well of each other', async () => {
      return Number(await standingWith(name, mesh.peer(other).name)) > Number(unknownStanding)
    })
  }
})
