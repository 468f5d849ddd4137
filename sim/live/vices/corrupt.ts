/** Serves blocks that are not of the shard that was asked for. */
import { decodeTransfer, encodeTransfer, transferProtocol } from '../../../protocols/transfer/index.ts'
import { bendStreams } from './bent-streams.ts'
import type { Vice } from './vice.ts'

export const corrupt: Vice = {
  bend: (ports) =>
    bendStreams(ports, {
      say(protocol, frame) {
        const message = protocol === transferProtocol ? decodeTransfer(frame) : undefined
        if (message?.say !== 'block') return [frame]
        return [encodeTransfer({ ...message, bytes: message.bytes.with(0, message.bytes[0]! ^ 1) })]
      },
    }),
}
