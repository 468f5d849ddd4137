/** One lease from its bid to its last receipt, with every statement of it: what the vectors depart from. */
import { concat, fromString } from 'uint8arrays'

import { sealBid, noWishes } from '../../../protocols/bid/index.ts'
import { MerkleTree, describeObject, encodeObjectManifest, hashLeaf } from '../../../protocols/erasure/index.ts'
import { encodeJobManifest, sealResult, type ResultDocument } from '../../../protocols/execute/index.ts'
import {
  sealAccept,
  sealAward,
  sealCommit,
  sealOffer,
  leaseIdOf,
  type Award,
} from '../../../protocols/negotiate/index.ts'
import {
  amountOwed,
  sealCountersignature,
  sealDispute,
  sealReceipt,
  usageOf,
  type Receipt,
  type Usage,
} from '../../../protocols/receipt/index.ts'
import { sha256, type Signed, type Tariff } from '../../../protocols/wire/index.ts'
import { manifestOf, startMs } from '../../negotiate/parties.ts'
import { asker, network, worker } from './kinds.ts'

export const { job, bytes: manifest } = encodeJobManifest(manifestOf('vectors'))

/** An object of 100,000 bytes in 2+1, whose shards have one leaf each. */
export const shards = [1, 2, 3].map((fill) => new Uint8Array(50_008).fill(fill))
export const roots = shards.map((shard) => new MerkleTree(hashLeaf(shard)).root)
export const object = encodeObjectManifest(describeObject({ k: 2, m: 1 }, 100_000, roots))

export const bid = sealBid(asker.signer, network, {
  job,
  class: 'compute',
  issuedMs: startMs,
  expiresMs: startMs + 60_000,
  requirements: {
    ...noWishes,
    runtime: 'wasi-preview1',
    cpuMilli: 1_500,
    memoryBytes: 65_536,
    diskBytes: 0,
    wallMsMax: 60_000,
  },
  unit: 'credit',
  ceilingMicro: 15_000,
  cpuHourMicroMax: 2_000_000,
  spreadMs: 0,
  enough: false,
})
/** A price for each thing that is counted, none of them round. */
export const tariff: Tariff = {
  cpuHourMicro: 1_999_999,
  gigaGasMicro: 17,
  memoryGibHourMicro: 350_001,
  gpuHourMicro: 2_500_003,
  inGibMicro: 90_001,
  outGibMicro: 120_007,
  storeGibHourMicro: 333,
}
export const offer = sealOffer(worker, {
  job,
  bid: sha256(bid),
  unit: 'credit',
  ...tariff,
  cpuMilli: 1_500,
  memoryBytes: 512 * 2 ** 20,
  diskBytes: 2 ** 30,
  gpus: 1,
  issuedMs: startMs + 40,
  holdUntilMs: startMs + 6_040,
  bondMicro: 250_000,
})
export const terms: Award = {
  job,
  slot: 0,
  epoch: 1,
  provider: worker.signer.peer,
  offer: sha256(offer.envelope),
  unit: 'credit',
  ...tariff,
  cpuMilli: 1_500,
  memoryBytes: 512 * 2 ** 20,
  diskBytes: 2 ** 30,
  gpus: 1,
  wallMsMax: 60_000,
  ceilingMicro: 15_000,
  paymentIntervalMs: 1_000,
  paymentIntervalMsMax: 4_000,
  reclaimMs: 10_000,
  bondMicro: 250_000,
  issuedMs: startMs + 500,
  acceptByMs: startMs + 4_500,
  manifest,
}
export const award = sealAward(asker, terms)
export const leaseHash = sha256(award.envelope)
export const lease = leaseIdOf(award.envelope)
export const accept = sealAccept(worker, { lease: leaseHash, issuedMs: startMs + 520, commitByMs: startMs + 5_520 })
export const commit = sealCommit(asker, { lease: leaseHash, accept: sha256(accept.envelope), issuedMs: startMs + 540 })

export const worked = (wallMs: number, outBytes = 0): Usage =>
  usageOf(terms, { wallMs, cpuMs: Math.floor(wallMs * 0.9), gas: wallMs * 720_000, inBytes: 11, outBytes })

const log = (text: string) => ({ bytes: text.length, sha256: Buffer.from(sha256(fromString(text))).toString('hex') })
export const document: ResultDocument = {
  v: 1,
  kind: 'result',
  job,
  lease,
  slot: 0,
  epoch: 1,
  reason: 'exited',
  exitCode: 0,
  detail: '',
  stdout: log('42\n'),
  stderr: log(''),
  outputs: object.cid,
  outputBytes: 100_000,
  outputFiles: 2,
  outputsSha256: '5e'.repeat(32),
  image: null,
  usage: {
    wallMs: 8_200,
    cpuMs: 7_380,
    memoryBytesPeak: 65_536,
    gas: 5_904_000_000,
    inBytes: 11,
    outBytes: 100_000,
  },
}
export const result = sealResult(worker, document)

/** A receipt that follows `before`, or the first. */
export function receiptAfter(
  before: Signed<Receipt> | undefined,
  wallMs: number,
  over: Partial<Receipt> = {},
  by = worker,
): Signed<Receipt> {
  const usage = over.usage ?? worked(wallMs)
  return sealReceipt(by, {
    lease,
    job,
    slot: 0,
    epoch: 1,
    requester: asker.signer.peer,
    sequence: (before?.body.sequence ?? 0) + 1,
    previous: before === undefined ? leaseHash : sha256(before.envelope),
    usage,
    unit: 'credit',
    amountMicro: amountOwed(terms, usage),
    final: false,
    result: '',
    issuedMs: startMs + 600 + wallMs,
    ...over,
  })
}

export const first = receiptAfter(undefined, 1_000)
export const second = receiptAfter(first, 3_001)
export const third = receiptAfter(second, 7_003)
export const last = receiptAfter(third, 8_200, { final: true, result: result.cid, usage: worked(8_200, 100_000) })
export const receipts = [first, second, third, last]
export const countersignatures = receipts.map(({ body, envelope }) =>
  sealCountersignature(asker, {
    lease,
    sequence: body.sequence,
    receipt: sha256(envelope),
    issuedMs: body.issuedMs + 20,
  }),
)

/** The second receipt was not countersigned at once. */
export const dispute = sealDispute(asker, {
  lease,
  sequence: 2,
  receipt: sha256(second.envelope),
  refusal: { code: 'WALL_TIME', facts: { claimedMs: 3_001, allowedMs: 3_000 } },
  issuedMs: second.body.issuedMs + 10,
})

/** A tree of seven leaves, of which the last is short. */
export const leaves = Array.from({ length: 7 }, (_, leaf) => new Uint8Array(leaf === 6 ? 10 : 65_536).fill(leaf))
export const tree = new MerkleTree(concat(leaves.map(hashLeaf)))
