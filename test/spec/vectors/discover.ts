/** What is asked about who can do what, and what is answered. */
import { create, toBinary } from '@bufbuild/protobuf'

import { encodeDiscovery, recordsPerAnswerMax, type Discovery, type Want } from '../../../protocols/discover/index.ts'
import { DiscoverySchema } from '../../../protocols/discover/wire_pb.ts'
import { microMax } from '../../../protocols/wire/index.ts'
import { ask } from './announcements.ts'
import { bad, good, type VectorFile } from './cases.ts'

const says = (name: string, message: Discovery) => good('discovery', name, encodeDiscovery(message))
const asks = (name: string, want: Want, recordsMax = 8) => says(name, { say: 'query', want, recordsMax })
const { requirements, unit, cpuHourMicroMax } = ask
const gpus = { count: 2, memoryBytes: 24 * 2 ** 30, vendor: 'nvidia', model: 'rtx 4090' }
const work = { requirements, unit, cpuHourMicroMax }

const discover: VectorFile = {
  what: 'Messages of /pleach/discover/1 (protocols/discover/README.md).',
  cases: [
    asks('QUERY for work', { kind: 'work', ask: work }),
    asks('QUERY for GPUs at any price', {
      kind: 'work',
      ask: { requirements: { ...requirements, gpus, regions: ['eu', 'us'] }, unit, cpuHourMicroMax: microMax },
    }),
    asks('QUERY for keepers', { kind: 'keep', keepBytes: 2 ** 30 }),
    asks('QUERY for anybody', { kind: 'anybody' }, recordsPerAnswerMax),
    asks('QUERY for the peer itself', { kind: 'yourself' }, 1),
    says('RECORDS', { say: 'records', envelopes: [Uint8Array.of(1, 2, 3), Uint8Array.of(4)] }),
    says('RECORDS, none', { say: 'records', envelopes: [] }),
    says('REFUSED', { say: 'refused', refusal: { code: 'BUSY', facts: { queriesPerPeerMax: 120 } } }),
    bad(
      'discovery',
      'more records wanted than any answer has',
      'FIELD_INVALID',
      encodeDiscovery({ say: 'query', want: { kind: 'anybody' }, recordsMax: recordsPerAnswerMax + 1 }),
    ),
    bad(
      'discovery',
      'more records than any answer has',
      'FIELD_INVALID',
      encodeDiscovery({ say: 'records', envelopes: Array<Uint8Array>(recordsPerAnswerMax + 1).fill(Uint8Array.of(1)) }),
    ),
    bad(
      'discovery',
      'work without a processor',
      'FIELD_INVALID',
      encodeDiscovery({
        say: 'query',
        want: { kind: 'work', ask: { ...work, requirements: { ...requirements, cpuMilli: 0 } } },
        recordsMax: 1,
      }),
    ),
    bad(
      'discovery',
      'work without requirements',
      'FIELD_INVALID',
      toBinary(
        DiscoverySchema,
        create(DiscoverySchema, {
          body: { case: 'query', value: { want: { case: 'work', value: { unit } }, recordsMax: 1 } },
        }),
      ),
    ),
    bad('discovery', 'nothing', 'FIELD_INVALID', new Uint8Array()),
    bad('discovery', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x12, 0xff)),
  ],
}

export const discoverVectors = { discover }
