/** Takes shards in and says that they are stored, makes outputs and says where they are; and has nothing when it is asked for them. */
import { decodeTransfer, encodeTransfer, transferProtocol } from '../../../protocols/transfer/index.ts'
import { refusal } from '../../../protocols/wire/index.ts'
import { bendStreams } from './bent-streams.ts'
import type { Vice } from './vice.ts'

export const withhold: Vice = {
  bend: (ports) =>
    bendStreams(ports, {
      say: (protocol, frame) =>
        protocol === transferProtocol && decodeTransfer(frame).say === 'have'
          ? [encodeTransfer({ say: 'refused', refusal: refusal('NOT_FOUND') })]
          : [frame],
    }),
}
