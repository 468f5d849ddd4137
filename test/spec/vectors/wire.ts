/** Envelopes, frames and names. */
import { create, toBinary } from '@bufbuild/protobuf'
import { concat, fromString } from 'uint8arrays'

import { encodeFrame, peerNameOf, sealEnvelope } from '../../../protocols/wire/index.ts'
import { EnvelopeSchema } from '../../../protocols/wire/wire_pb.ts'
import { parseMessage } from '../../../protocols/wire/message.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { asker, network, worker } from './kinds.ts'

const type = { name: 'offer', version: 1 }
const payload = fromString('what is said')
const envelope = sealEnvelope(worker.signer, network, type, payload)
const parts = parseMessage(EnvelopeSchema, envelope)
const abroad = parseMessage(EnvelopeSchema, sealEnvelope(worker.signer, 'elsewhere', type, payload))
const rebuilt = (over: Partial<typeof parts>) =>
  toBinary(
    EnvelopeSchema,
    create(EnvelopeSchema, {
      publicKey: parts.publicKey,
      payloadType: parts.payloadType,
      payload: parts.payload,
      signature: parts.signature,
      ...over,
    }),
  )
/** What says itself to be something, under a signature of something else. */
const called = (payloadType: string) => rebuilt({ payloadType: fromString(payloadType) })
/** One field of length-delimited bytes, with its length in as many bytes as one likes. */
const field = (number: number, bytes: Uint8Array, length = [bytes.byteLength]) =>
  Uint8Array.from([(number << 3) | 2, ...length, ...bytes])
const [key, typeText, signature] = [parts.publicKey, parts.payloadType, parts.signature]

const envelopes: VectorFile = {
  what: 'Signed envelopes (protocols/wire/README.md). Bad ones have one thing wrong each.',
  cases: [
    good('envelope', 'an offer by the provider', envelope, { type }),
    good(
      'envelope',
      'an empty payload',
      sealEnvelope(asker.signer, network, { name: 'bid', version: 1 }, new Uint8Array()),
      {
        type: { name: 'bid', version: 1 },
      },
    ),
    good(
      'envelope',
      'a payload of 300 bytes, whose length takes two',
      sealEnvelope(asker.signer, network, { name: 'award', version: 1 }, new Uint8Array(300).fill(7)),
      { type: { name: 'award', version: 1 } },
    ),
    bad(
      'envelope',
      'another payload under the signature',
      'SIGNATURE_INVALID',
      rebuilt({ payload: fromString('what is laid') }),
      { type },
    ),
    bad('envelope', 'another signature', 'SIGNATURE_INVALID', rebuilt({ signature: new Uint8Array(64) }), { type }),
    bad('envelope', 'a signature cut short', 'SIGNATURE_INVALID', rebuilt({ signature: signature.slice(0, 63) }), {
      type,
    }),
    bad(
      'envelope',
      'the key of another peer',
      'SIGNATURE_INVALID',
      rebuilt({ publicKey: concat([key.slice(0, 4), asker.signer.publicKey]) }),
      { type },
    ),
    bad('envelope', 'of another network', 'NETWORK_FOREIGN', sealEnvelope(worker.signer, 'elsewhere', type, payload), {
      type,
    }),
    bad(
      'envelope',
      'signed for another network, and said to be of this one',
      'SIGNATURE_INVALID',
      rebuilt({ signature: abroad.signature }),
      { type },
    ),
    bad('envelope', 'of what is no name of a network', 'DOMAIN_UNEXPECTED', called('/pleach/offer/1@Else where'), {
      type,
    }),
    bad('envelope', 'of a name that is too long', 'DOMAIN_UNEXPECTED', called(`/pleach/offer/1@${'x'.repeat(33)}`), {
      type,
    }),
    bad('envelope', 'of the longest name there is', 'NETWORK_FOREIGN', called(`/pleach/offer/1@${'x'.repeat(32)}`), {
      type,
    }),
    bad('envelope', 'of no network', 'DOMAIN_UNEXPECTED', called('/pleach/offer/1'), { type }),
    bad(
      'envelope',
      'a network before which stands something else',
      'DOMAIN_UNEXPECTED',
      called('\ufeff/pleach/offer/1@main'),
      {
        type,
      },
    ),
    bad('envelope', 'a network with a line feed behind it', 'DOMAIN_UNEXPECTED', called('/pleach/offer/1@else\n'), {
      type,
    }),
    bad(
      'envelope',
      'another type of statement, of another network',
      'DOMAIN_UNEXPECTED',
      sealEnvelope(worker.signer, 'elsewhere', { name: 'accept', version: 1 }, payload),
      { type },
    ),
    bad(
      'envelope',
      'another type of statement',
      'DOMAIN_UNEXPECTED',
      sealEnvelope(worker.signer, network, { name: 'accept', version: 1 }, payload),
      { type },
    ),
    bad(
      'envelope',
      'another version of the type',
      'DOMAIN_UNEXPECTED',
      sealEnvelope(worker.signer, network, { name: 'offer', version: 2 }, payload),
      { type },
    ),
    bad(
      'envelope',
      'a key that is not Ed25519',
      'FIELD_INVALID',
      rebuilt({ publicKey: concat([Uint8Array.of(8, 2, 18, 32), worker.signer.publicKey]) }),
      { type },
    ),
    bad('envelope', 'no bytes', 'DOMAIN_UNEXPECTED', new Uint8Array(), { type }),
    bad('envelope', 'cut off', 'FRAME_MALFORMED', envelope.slice(0, -1), { type }),
    bad('envelope', 'a field more', 'FRAME_MALFORMED', concat([envelope, field(9, Uint8Array.of(1))]), { type }),
    bad(
      'envelope',
      'the fields in another order',
      'FRAME_MALFORMED',
      concat([field(2, typeText), field(1, key), field(3, payload), field(5, signature)]),
      { type },
    ),
    bad(
      'envelope',
      'the payload twice',
      'FRAME_MALFORMED',
      concat([field(1, key), field(2, typeText), field(3, payload), field(3, payload), field(5, signature)]),
      { type },
    ),
    bad(
      'envelope',
      'a length that is longer than it need be',
      'FRAME_MALFORMED',
      concat([field(1, key, [0x80 | key.byteLength, 0]), field(2, typeText), field(3, payload), field(5, signature)]),
      { type },
    ),
  ],
}

const frameContext = { frameBytesMax: 200 }
const frames: VectorFile = {
  what: 'Frames on a stream (protocols/wire/README.md): the whole of a stream that then ends.',
  cases: [
    good('frames', 'none', new Uint8Array(), frameContext),
    good(
      'frames',
      'three, the second of no bytes',
      concat([encodeFrame(Uint8Array.of(1, 2, 3)), encodeFrame(new Uint8Array()), encodeFrame(Uint8Array.of(4))]),
      frameContext,
    ),
    good(
      'frames',
      'one as long as may be, whose length takes two bytes',
      encodeFrame(new Uint8Array(200).fill(9)),
      frameContext,
    ),
    bad(
      'frames',
      'a byte over the cap, and none of it here',
      'FRAME_TOO_LARGE',
      Uint8Array.of(0xc9, 0x01),
      frameContext,
    ),
    bad(
      'frames',
      'a length of five bytes',
      'FRAME_MALFORMED',
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x01),
      frameContext,
    ),
    bad(
      'frames',
      'a length that is longer than it need be',
      'FRAME_MALFORMED',
      Uint8Array.of(0x81, 0x00, 7),
      frameContext,
    ),
    bad('frames', 'the end inside a body', 'FRAME_TRUNCATED', Uint8Array.of(3, 1, 2), frameContext),
    bad('frames', 'the end inside a length', 'FRAME_TRUNCATED', Uint8Array.of(0x80), frameContext),
  ],
}

const name = peerNameOf(worker.signer.publicKey)
const names: VectorFile = {
  what: 'Names of peers (protocols/wire/README.md). The bytes are the text of the name.',
  cases: [
    good('peer-name', 'the provider', fromString(name)),
    good('peer-name', 'the requester', fromString(peerNameOf(asker.signer.publicKey))),
    good('peer-name', 'a key of zeros', fromString(peerNameOf(new Uint8Array(32)))),
    bad('peer-name', 'a character that base58 has not', 'FIELD_INVALID', fromString(`0${name.slice(1)}`)),
    bad('peer-name', 'cut off', 'FIELD_INVALID', fromString(name.slice(0, -1))),
    bad(
      'peer-name',
      'a hash of a key of another kind',
      'FIELD_INVALID',
      fromString('QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'),
    ),
    bad('peer-name', 'longer than any name', 'FIELD_INVALID', fromString('1'.repeat(65))),
    bad('peer-name', 'no text', 'FIELD_INVALID', new Uint8Array()),
  ],
}

export const wireVectors = { envelopes, frames, 'peer-names': names }
