/** Queries and answers from and to bytes. What is in an envelope is not looked at: whoever takes a record opens it. */
import { create, toBinary } from '@bufbuild/protobuf'

import { decodeRequirements, encodeRequirements } from '../bid/index.ts'
import { Fault, checkedInteger, checkedText, decodeRefusal, encodeRefusal, parseMessage } from '../wire/index.ts'
import { recordsPerAnswerMax, type Discovery, type Want } from './messages.ts'
import { AnybodySchema, DiscoverySchema, KeepSchema, QuerySchema, WorkSchema, type Query } from './wire_pb.ts'

const textCharsMax = 64

export function encodeDiscovery(message: Discovery): Uint8Array {
  return toBinary(DiscoverySchema, made(message))
}

function made(message: Discovery) {
  switch (message.say) {
    case 'query':
      return create(DiscoverySchema, {
        body: { case: 'query', value: encodeQuery(message.want, message.recordsMax) },
      })
    case 'records': {
      const envelopes = [...message.envelopes]
      return create(DiscoverySchema, { body: { case: 'records', value: { envelopes } } })
    }
    case 'refused':
      return create(DiscoverySchema, { body: { case: 'refused', value: encodeRefusal(message.refusal) } })
    default:
      return message satisfies never
  }
}

function encodeQuery(want: Want, recordsMax: number): Query {
  switch (want.kind) {
    case 'work': {
      const { requirements, unit, cpuHourMicroMax } = want.ask
      const value = create(WorkSchema, {
        requirements: encodeRequirements(requirements),
        unit,
        cpuHourMicroMax: BigInt(cpuHourMicroMax),
      })
      return create(QuerySchema, { want: { case: 'work', value }, recordsMax })
    }
    case 'keep': {
      const value = create(KeepSchema, { keepBytes: BigInt(want.keepBytes) })
      return create(QuerySchema, { want: { case: 'keep', value }, recordsMax })
    }
    case 'anybody':
      return create(QuerySchema, { want: { case: 'anybody', value: create(AnybodySchema) }, recordsMax })
    case 'yourself':
      return create(QuerySchema, { recordsMax })
    default:
      return want satisfies never
  }
}

/** Throws a Fault. */
export function decodeDiscovery(bytes: Uint8Array): Discovery {
  const { body } = parseMessage(DiscoverySchema, bytes)
  switch (body.case) {
    case 'query':
      return {
        say: 'query',
        want: decodeWant(body.value),
        recordsMax: checkedInteger(body.value.recordsMax, 'records_max', recordsPerAnswerMax),
      }
    case 'records': {
      const { envelopes } = body.value
      if (envelopes.length <= recordsPerAnswerMax) return { say: 'records', envelopes }
      throw new Fault('FIELD_INVALID', 'more records than any answer has', { records: envelopes.length })
    }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    default:
      throw new Fault('FIELD_INVALID', 'says nothing about discovery that this version knows')
  }
}

function decodeWant({ want }: Query): Want {
  switch (want.case) {
    case 'work':
      return {
        kind: 'work',
        ask: {
          requirements: decodeRequirements(want.value.requirements),
          unit: checkedText(want.value.unit, 'unit', textCharsMax),
          cpuHourMicroMax: checkedInteger(want.value.cpuHourMicroMax, 'cpu_hour_micro_max'),
        },
      }
    case 'keep':
      return { kind: 'keep', keepBytes: checkedInteger(want.value.keepBytes, 'keep_bytes') }
    case 'anybody':
      return { kind: 'anybody' }
    default:
      return { kind: 'yourself' }
  }
}
