/** One connection to a service. */
import { fromString } from 'uint8arrays'

import { encodeForward, type Forward } from '../../../protocols/forward/index.ts'
import { bad, good, type VectorFile } from './cases.ts'
import { lease } from './lease.ts'

const says = (name: string, message: Forward) => good('forward', name, encodeForward(message))
const wrong = (name: string, message: Forward) => bad('forward', name, 'FIELD_INVALID', encodeForward(message))

const forward: VectorFile = {
  what: 'Frames of /pleach/forward/1 (protocols/forward/README.md).',
  cases: [
    says('OPEN', { say: 'open', lease, port: 80 }),
    says('OPEN, the highest port', { say: 'open', lease, port: 65_535 }),
    says('OPENED', { say: 'opened' }),
    says('REFUSED', { say: 'refused', refusal: { code: 'PORT_NOT_EXPOSED', facts: { port: 81 } } }),
    says('DATA', { say: 'data', bytes: fromString('GET / HTTP/1.0') }),
    says('DATA of one byte', { say: 'data', bytes: Uint8Array.of(0) }),
    says('END', { say: 'end' }),
    wrong('port 0', { say: 'open', lease, port: 0 }),
    wrong('a port beyond TCP', { say: 'open', lease, port: 65_536 }),
    wrong('a lease that is no hash', { say: 'open', lease: lease.slice(2), port: 80 }),
    wrong('DATA of nothing', { say: 'data', bytes: new Uint8Array() }),
    bad('forward', 'nothing', 'FIELD_INVALID', new Uint8Array()),
    bad('forward', 'not of this form', 'FRAME_MALFORMED', Uint8Array.of(0x12, 0xff)),
  ],
}

export const forwardVectors = { forward }
