/**
 * libp2p hands a socket what it sends piece by piece: of a block the twelve bytes of the muxer, the three of its length, and the
 * block; and of that each encrypted record. A socket that has nothing else to do sends each piece by itself: a call of the kernel and a packet for
 * twelve bytes, and under TLS a record. Held together, they go out as one. For Noise, and TLS through relays; TLS over TCP does so itself (socket-stream.ts).
 */
import type { Writable } from 'node:stream'

/** What has a socket below it, as connections over TCP and TLS have, though they do not say so. */
interface OverSocket {
  readonly socket?: Partial<Pick<Writable, 'cork' | 'uncork'>>
  sendData?: (data: never) => unknown
}

/** Of any other connection nothing is changed. */
export function gatherWrites(connection: object): void {
  const over = connection as OverSocket
  const { socket } = over
  const send = over.sendData?.bind(connection)
  if (send === undefined || typeof socket?.cork !== 'function' || typeof socket.uncork !== 'function') return
  over.sendData = (data) => {
    socket.cork!()
    try {
      return send(data)
    } finally {
      socket.uncork!()
    }
  }
}
