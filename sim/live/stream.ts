/**
 * One end of a stream between two peers of a simulated network: joined to its other end directly, with a window, so that a
 * reader who does not read stops the writer, and neither holds more than a window of the other's bytes.
 */
import { AbstractStream, type AbstractStreamInit, type SendResult } from '@libp2p/utils'

import type { LiveConnection } from './connection.ts'

/** What a message costs beside its bytes: yamux's header. */
export const headerBytes = 12

export interface LiveStreamInit extends AbstractStreamInit {
  readonly connection: LiveConnection
  /** Bytes that may be under way or unread at the other end. */
  readonly windowBytes: number
}

export class LiveStream extends AbstractStream {
  /** Once the other side has taken the stream. */
  other: LiveStream | undefined
  readonly #connection: LiveConnection
  readonly #windowBytes: number
  /** Bytes that may still be sent. */
  #credit: number
  /** Bytes that came, and of these those for which the sender got new credit. */
  #arrived = 0
  #credited = 0

  constructor({ connection, windowBytes, ...init }: LiveStreamInit) {
    super(init)
    this.#connection = connection
    this.#windowBytes = windowBytes
    this.#credit = windowBytes
  }

  get isEnded(): boolean {
    return this.status !== 'open' && this.status !== 'closing'
  }

  override sendData(data: Parameters<AbstractStream['sendData']>[0]): SendResult {
    const sentBytes = Math.min(data.byteLength, this.#credit)
    if (sentBytes === 0) return { sentBytes, canSendMore: false }
    this.#credit -= sentBytes
    // A copy, as over a socket: the writer may use its bytes again, and two readers never share any.
    const bytes = data.slice(0, sentBytes)
    this.#transmit(sentBytes, (other) => other.#arrive(bytes))
    return { sentBytes, canSendMore: this.#credit > 0 }
  }

  override sendReset(): void {
    this.#transmit(0, (other) => other.onRemoteReset())
  }

  override async sendCloseWrite(): Promise<void> {
    this.#transmit(0, (other) => other.onRemoteCloseWrite())
  }

  override async sendCloseRead(): Promise<void> {
    this.#transmit(0, (other) => other.onRemoteCloseRead())
  }

  // What a paused stream does not read, it gives no credit for; nothing else has to be said.
  override sendPause(): void {}
  override sendResume(): void {}

  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer()
    this.#giveCredit()
  }

  #transmit(bytes: number, deliver: (other: LiveStream) => void): void {
    const arrive = (): void => {
      if (this.other !== undefined && !this.other.isEnded) deliver(this.other)
    }
    this.#connection.transmit(bytes + headerBytes, arrive, this.protocol)
  }

  #arrive(bytes: Uint8Array): void {
    this.#arrived += bytes.byteLength
    this.onData(bytes)
    // Thrown away when nobody reads any more, which is as good as read.
    this.#giveCredit()
  }

  /** In halves of a window: most streams are over before they need any. */
  #giveCredit(): void {
    const read = this.#arrived - this.readBuffer.byteLength - this.#credited
    if (read < this.#windowBytes / 2 || this.isEnded) return
    this.#credited += read
    this.#transmit(0, (other) => other.#takeCredit(read))
  }

  #takeCredit(bytes: number): void {
    this.#credit += bytes
    if (this.writableNeedsDrain) this.onMuxerDrain()
  }
}
