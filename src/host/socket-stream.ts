/**
 * A libp2p connection over an encrypted socket: what comes is counted and handed on once a turn, what goes is held together. libp2p keeps the
 * connection below, and ends that one: what ends it is turned to the encrypted socket, so that what waits there goes out first.
 */
import { once } from 'node:events'
import { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

import type { AbortOptions, MultiaddrConnection } from '@libp2p/interface'
import { AbstractMessageStream, type SendResult } from '@libp2p/utils'
import { Uint8ArrayList } from 'uint8arraylist'

import type { Turns } from '../environment.ts'
import type { Handing, TurnBudget } from './turn-budget.ts'

/** What connections over TCP have, though they do not say so. */
export interface OverSocket extends MultiaddrConnection {
  readonly socket: Socket
  /** By which libp2p's `close` and `abort` end the socket. */
  sendClose(options?: AbortOptions): Promise<void>
  sendReset(error: Error): void
}

export function isOverSocket(connection: object): connection is OverSocket {
  const { socket, sendClose, sendReset } = connection as Partial<OverSocket>
  return (
    socket instanceof Socket &&
    !(socket instanceof TLSSocket) &&
    typeof sendClose === 'function' &&
    typeof sendReset === 'function'
  )
}

export interface SocketStreamParts {
  readonly turns: Turns
  readonly budget: TurnBudget
  /** Told of what went out, encrypted. */
  readonly onWire?: ((bytes: number) => void) | undefined
}

/** To be called when something was written. */
export type CountWire = () => void

/** Counts what goes out through a socket from now on, whoever writes it. */
export function countingWire({ socket }: OverSocket, { onWire }: SocketStreamParts): CountWire | undefined {
  if (onWire === undefined) return undefined
  let countedBytes = socket.bytesWritten
  return () => {
    const bytes = socket.bytesWritten - countedBytes
    countedBytes += bytes
    if (bytes > 0) onWire(bytes)
  }
}

/** The other side cut it off. */
const resetCodes = ['ECONNRESET', 'EPIPE']

export class SocketStream extends AbstractMessageStream implements Handing {
  readonly #below: OverSocket
  readonly #socket: TLSSocket
  readonly #parts: SocketStreamParts
  /** Of this turn. No more than the budget and a piece, of all connections together: beyond it they are held. */
  readonly #come: Uint8Array[] = []
  readonly #countWire: CountWire | undefined

  constructor(below: OverSocket, socket: TLSSocket, countWire: CountWire | undefined, parts: SocketStreamParts) {
    super({
      log: below.log,
      inactivityTimeout: below.inactivityTimeout,
      maxReadBufferLength: below.maxReadBufferLength,
      direction: below.direction,
    })
    this.#below = below
    this.#socket = socket
    this.#countWire = countWire
    this.#parts = parts
    socket.on('data', (piece: Uint8Array) => this.#take(piece))
    this.#takeAtOnce()
    socket.on('drain', () => this.safeDispatchEvent('drain'))
    // Who has said farewell reads nothing more.
    socket.on('end', () => socket.destroy())
    below.addEventListener('close', ({ error, local }) => this.#onClose(error, local))
    this.#turnEnds(below.sendReset.bind(below))
  }

  async close(options?: AbortOptions): Promise<void> {
    await this.#below.close(options)
  }

  /** The next piece is answered with that no more is to be read. */
  sendPause(): void {}

  sendResume(): void {
    if (!this.#socket.destroyed) this.#socket._read(0)
  }

  sendReset(error: Error): void {
    this.#below.abort(error)
  }

  sendData(data: Uint8ArrayList): SendResult {
    const socket = this.#socket
    // Until what runs now is through: what several streams send goes out together, as do the parts of one frame.
    if (socket.writableCorked === 0) {
      socket.cork()
      process.nextTick(() => socket.uncork())
    }
    for (const piece of data) socket.write(piece, this.#countWire)
    return { sentBytes: data.byteLength, canSendMore: !socket.writableNeedDrain }
  }

  /** To whoever listens, all that was taken in. */
  hand(): number {
    const come = new Uint8ArrayList(...this.#come.splice(0))
    const bytes = come.byteLength
    if (bytes > 0) this.onData(come)
    return bytes
  }

  /**
   * What Node has decrypted it pushes into the stream that a socket is, record by record, each of which asks in a tick of its own whether more is to be
   * read: a twentieth of what a reader's main thread does. Here it is taken at once, and the answer says whether to read on. What was there
   * before, at most what may wait in a socket, comes by the event.
   */
  #takeAtOnce(): void {
    const push = this.#socket.push.bind(this.#socket)
    this.#socket.push = (piece: unknown, encoding?: BufferEncoding) => {
      if (!(piece instanceof Uint8Array)) return push(piece, encoding)
      this.#take(piece)
      return this.readStatus !== 'paused'
    }
  }

  #take(piece: Uint8Array): void {
    this.#come.push(piece)
    this.#parts.budget.took(piece.byteLength, this)
  }

  #turnEnds(reset: (error: Error) => void): void {
    const [below, socket] = [this.#below, this.#socket]
    below.sendClose = async (options) => {
      if (below.socket.closed) return
      if (this.status === 'open') {
        this.status = 'closing'
        this.writeStatus = 'closing'
        // What is not sent yet is in memory already: there the socket may have it.
        this.writableNeedsDrain = false
        this.processSendQueue()
      }
      socket.destroySoon()
      await once(below.socket, 'close', options)
    }
    below.sendReset = (error) => {
      // Node cannot reset a socket whose end is being sent, and leaves it open when told to. `below.socket` does not know that it is.
      if (socket.writableEnded) below.socket.destroy()
      else reset(error)
    }
  }

  #onClose(error: Error | undefined, local: boolean | undefined): void {
    this.#socket.destroy()
    // Whoever is told of the end takes nothing more afterwards.
    this.#parts.budget.release(this)
    this.hand()
    this.#countWire?.()
    if (this.status !== 'open' && this.status !== 'closing') return
    const isReset = error !== undefined && resetCodes.includes((error as NodeJS.ErrnoException).code ?? '')
    if (error === undefined) this.onTransportClosed()
    else if (local === true && !isReset) this.abort(error)
    else this.onRemoteReset()
  }
}
