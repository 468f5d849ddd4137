/** What is published: capability records and bids. */
import { fromBinary, toBinary } from '@bufbuild/protobuf'

import {
  encodeBid,
  sealBid,
  bidBytesMax,
  bidSpreadMsMax,
  bidTermMsMax,
  bidType,
  type Bid,
  noWishes,
} from '../../../protocols/bid/index.ts'
import {
  capabilityBytesMax,
  capabilityTermMsMax,
  capabilityType,
  clockSkewMsMax,
  encodeCapability,
  sealCapability,
  type Capability,
  plainCompute,
  plainPrice,
  unsaid,
} from '../../../protocols/capability/index.ts'
import { BidSchema } from '../../../protocols/bid/wire_pb.ts'
import { microMax, sealEnvelope } from '../../../protocols/wire/index.ts'
import { job, startMs } from '../../negotiate/parties.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, worker } from './kinds.ts'

const full: Capability = {
  sequence: 7,
  issuedMs: startMs,
  expiresMs: startMs + 600_000,
  withdrawn: false,
  software: 'pleach/0.1.0',
  ...unsaid,
  compute: {
    ...plainCompute,
    arch: 'x86_64',
    cpuMilli: { value: 4_000, evidence: 'measured' },
    memoryBytes: { value: 8 * 2 ** 30, evidence: 'claimed' },
    diskBytes: { value: 2 ** 30, evidence: 'measured' },
    wallMsMax: 3_600_000,
  },
  storage: { keepBytes: { value: 100_000_000_000, evidence: 'challenged' }, termMsMax: 86_400_000 },
  runtimes: [{ name: 'wasi-preview1', version: '1', isolation: 'process' }],
  price: { ...plainPrice, unit: 'credit', cpuHourMicro: 1_000_000, gbMonthMicro: 20_000 },
}
const none: Capability = {
  ...full,
  sequence: 8,
  withdrawn: true,
  compute: null,
  storage: null,
  runtimes: [],
  price: null,
}
const context = { nowMs: startMs + 1_000 }
const record = (over: Partial<Capability>) => sealCapability(worker.signer, network, { ...full, ...over })
const payload = (bytes: Uint8Array) => sealEnvelope(worker.signer, network, capabilityType, bytes)
const runtime = full.runtimes[0]!

const capability: VectorFile = {
  what: 'Capability records (protocols/capability/README.md), judged at the time that the context names.',
  cases: [
    good('capability', 'all there is to say', record({}), context),
    good(
      'capability',
      'evidence with whom and when, GPUs, network, enclave, hours, what is free',
      record({
        compute: {
          ...full.compute!,
          cpuMilli: { value: 4_000, evidence: 'challenged', atMs: startMs - 1, by: [asker.signer.peer] },
          model: 'EPYC 9654',
          features: ['avx2', 'avx512f'],
          egress: true,
        },
        gpus: [
          {
            vendor: 'NVIDIA',
            model: 'RTX 4090',
            memoryBytes: { value: 24 * 2 ** 30, evidence: 'measured', atMs: startMs },
            count: 2,
            driver: '570.12',
          },
        ],
        network: {
          upBytesPerSecond: { value: 2_500_000, evidence: 'measured', atMs: startMs },
          downBytesPerSecond: { value: 12_500_000, evidence: 'claimed' },
          reachability: 'relayed',
          region: 'eu',
          trips: [{ peer: asker.signer.peer, ms: 38 }],
        },
        tee: { kind: 'sev-snp', evidence: 'claimed' },
        operator: 'the weavers',
        hours: [{ fromMinute: 1_080, toMinute: 420 }],
        free: { cpuEighths: 7, memoryEighths: 8, keepEighths: 0 },
      }),
      context,
    ),
    good('capability', 'withdrawn', sealCapability(worker.signer, network, none), context),
    good(
      'capability',
      'the highest numbers',
      record({
        sequence: microMax,
        price: { ...plainPrice, unit: 'credit', cpuHourMicro: microMax, gbMonthMicro: microMax },
      }),
      context,
    ),
    good('capability', 'issued as far ahead as is borne', record({}), { nowMs: startMs - clockSkewMsMax }),
    bad('capability', 'from the future', 'FIELD_INVALID', record({}), { nowMs: startMs - clockSkewMsMax - 1 }),
    bad('capability', 'expired', 'FIELD_INVALID', record({}), { nowMs: full.expiresMs }),
    bad(
      'capability',
      'a term too long',
      'FIELD_INVALID',
      record({ expiresMs: startMs + capabilityTermMsMax + 1 }),
      context,
    ),
    bad('capability', 'a number over 2^53 - 1', 'FIELD_INVALID', record({ sequence: microMax + 1 }), context),
    bad('capability', 'a line break in a name', 'FIELD_INVALID', record({ software: 'pleach\n0.1.0' }), context),
    bad(
      'capability',
      'too many runtimes',
      'FIELD_INVALID',
      record({ runtimes: Array.from({ length: 33 }, () => runtime) }),
      context,
    ),
    bad(
      'capability',
      'an hour that is none',
      'FIELD_INVALID',
      record({ hours: [{ fromMinute: 0, toMinute: 10_080 }] }),
      context,
    ),
    bad('capability', 'too long', 'FRAME_TOO_LARGE', payload(new Uint8Array(capabilityBytesMax)), context),
    bad('capability', 'not of this form', 'FRAME_MALFORMED', payload(Uint8Array.of(0x42, 0xff)), context),
    bad(
      'capability',
      'a statement of another type',
      'DOMAIN_UNEXPECTED',
      sealEnvelope(worker.signer, network, bidType, encodeCapability(full)),
      context,
    ),
  ],
}

export const ask: Bid = {
  job,
  class: 'compute',
  issuedMs: startMs,
  expiresMs: startMs + 60_000,
  requirements: {
    ...noWishes,
    runtime: 'wasi-preview1',
    cpuMilli: 1_000,
    memoryBytes: 65_536,
    diskBytes: 0,
    wallMsMax: 60_000,
  },
  unit: 'credit',
  ceilingMicro: 1_000_000,
  cpuHourMicroMax: 2_000_000,
  spreadMs: 100,
  enough: false,
}
const raw = (over: Partial<Bid>) => sealEnvelope(asker.signer, network, bidType, encodeBid({ ...ask, ...over }))

/** The wire knows numbers that the domain has no words for. */
function withEvidence(number: number): Uint8Array {
  const message = fromBinary(BidSchema, encodeBid(ask))
  return toBinary(BidSchema, { ...message, requirements: { ...message.requirements!, evidence: number } })
}

const bid: VectorFile = {
  what: 'Bids (protocols/bid/README.md). Dates against a clock are not judged here.',
  cases: [
    good('bid', 'a bid', sealBid(asker.signer, network, ask)),
    good(
      'bid',
      'open as long as may be',
      sealBid(asker.signer, network, { ...ask, expiresMs: startMs + bidTermMsMax }),
    ),
    good(
      'bid',
      'the highest price',
      sealBid(asker.signer, network, { ...ask, ceilingMicro: microMax, cpuHourMicroMax: microMax }),
    ),
    good(
      'bid',
      'all that may be asked for',
      sealBid(asker.signer, network, {
        ...ask,
        requirements: {
          ...ask.requirements,
          arch: 'x86_64',
          features: ['avx2'],
          gpus: { count: 1, memoryBytes: 24 * 2 ** 30, vendor: 'nvidia', model: '4090' },
          regions: ['eu', 'uk'],
          isolation: 'bubblewrap',
          tee: 'sev-snp',
          evidence: 'challenged',
          egress: true,
        },
      }),
    ),
    bad(
      'bid',
      'evidence of no known kind',
      'FIELD_INVALID',
      sealEnvelope(asker.signer, network, bidType, withEvidence(7)),
    ),
    bad('bid', 'open too long', 'FIELD_INVALID', raw({ expiresMs: startMs + bidTermMsMax + 1 })),
    good(
      'bid',
      'enough, of what was spread for as long as may be',
      sealBid(asker.signer, network, { ...ask, spreadMs: bidSpreadMsMax, enough: true }),
    ),
    bad('bid', 'spread too long', 'FIELD_INVALID', raw({ spreadMs: bidSpreadMsMax + 1 })),
    bad('bid', 'open for no time', 'FIELD_INVALID', raw({ expiresMs: startMs })),
    bad('bid', 'no processor', 'FIELD_INVALID', raw({ requirements: { ...ask.requirements, cpuMilli: 0 } })),
    bad('bid', 'a job that is no CID', 'FIELD_INVALID', raw({ job: 'the one from yesterday' })),
    bad('bid', 'a class too long', 'FIELD_INVALID', raw({ class: 'c'.repeat(33) })),
    bad('bid', 'a price over 2^53 - 1', 'FIELD_INVALID', raw({ ceilingMicro: microMax + 1 })),
    bad('bid', 'no requirements', 'FIELD_INVALID', sealEnvelope(asker.signer, network, bidType, new Uint8Array())),
    bad(
      'bid',
      'too long',
      'FRAME_TOO_LARGE',
      sealEnvelope(asker.signer, network, bidType, new Uint8Array(bidBytesMax)),
    ),
  ],
}

export const announcementVectors = { capability, bid }
