/** Evidence from and to bytes. What it proves is in proof.ts. */
import { create, toBinary } from '@bufbuild/protobuf'

import { Fault, parseMessage } from '../wire/index.ts'
import type { Evidence } from './messages.ts'
import { EvidenceSchema } from './wire_pb.ts'

export function encodeEvidence({ first, second }: Evidence): Uint8Array {
  return toBinary(EvidenceSchema, create(EvidenceSchema, { first, second }))
}

/** Throws a Fault. */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  const { first, second } = parseMessage(EvidenceSchema, bytes)
  if (first.byteLength === 0 || second.byteLength === 0)
    throw new Fault('FIELD_INVALID', 'evidence is of two statements', {
      first: first.byteLength,
      second: second.byteLength,
    })
  return { first, second }
}
