/** Frames of a forwarded connection from and to bytes. All validation of a single one is here. */
import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { fromString, toString } from 'uint8arrays'

import { Fault, checkedHash, decodeRefusal, encodeRefusal, parseMessage } from '../wire/index.ts'
import { portMax, type Forward } from './messages.ts'
import { ForwardSchema } from './wire_pb.ts'

export function encodeForward(message: Forward): Uint8Array {
  return toBinary(ForwardSchema, create(ForwardSchema, { body: bodyOf(message) }))
}

function bodyOf(message: Forward): NonNullable<MessageInitShape<typeof ForwardSchema>['body']> {
  switch (message.say) {
    case 'open':
      return { case: 'open', value: { lease: fromString(message.lease, 'hex'), port: message.port } }
    case 'opened':
      return { case: 'opened', value: {} }
    case 'refused':
      return { case: 'refused', value: encodeRefusal(message.refusal) }
    case 'data':
      return { case: 'data', value: message.bytes }
    case 'end':
      return { case: 'end', value: {} }
    default:
      return message satisfies never
  }
}

/** Throws a Fault. */
export function decodeForward(bytes: Uint8Array): Forward {
  const { body } = parseMessage(ForwardSchema, bytes)
  switch (body.case) {
    case 'open': {
      const { lease, port } = body.value
      if (port < 1 || port > portMax) throw new Fault('FIELD_INVALID', 'port is none of TCP', { port })
      return { say: 'open', lease: toString(checkedHash(lease, 'lease'), 'hex'), port }
    }
    case 'opened':
      return { say: 'opened' }
    case 'refused':
      return { say: 'refused', refusal: decodeRefusal(body.value) }
    case 'data':
      if (body.value.byteLength === 0) throw new Fault('FIELD_INVALID', 'data is empty')
      return { say: 'data', bytes: body.value }
    case 'end':
      return { say: 'end' }
    default:
      throw new Fault('FIELD_INVALID', 'a frame says nothing that this version knows')
  }
}
