// What goes out in one piece, though it is handed over in several.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { test } from 'node:test'

import { gatherWrites } from '../../src/host/gather-writes.ts'

class OverSocket {
  readonly writes: number[] = []
  readonly socket = new Writable({
    highWaterMark: 8,
    write: (chunk: Buffer, _encoding, done) => {
      this.writes.push(chunk.byteLength)
      setImmediate(done)
    },
    writev: (chunks, done) => {
      this.writes.push(chunks.reduce((sum, { chunk }) => sum + (chunk as Buffer).byteLength, 0))
      setImmediate(done)
    },
  })

  /** As libp2p's do: what a socket that is full was not given stays with whoever sends. */
  sendData(pieces: Iterable<Uint8Array>): number {
    let sent = 0
    for (const piece of pieces) {
      sent += piece.byteLength
      if (!this.socket.write(piece)) break
    }
    return sent
  }
}

test('pieces that are sent at once are one write, and what it says of them stays the same', async () => {
  const connection = new OverSocket()
  gatherWrites(connection)
  assert.equal(connection.sendData([new Uint8Array(2), new Uint8Array(3), new Uint8Array(1)]), 6)
  assert.equal(connection.sendData([new Uint8Array(9), new Uint8Array(5)]), 9, 'it was full after the first')
  connection.socket.end()
  await once(connection.socket, 'finish')
  assert.deepEqual(connection.writes, [6, 9])
})

test('nothing is held back when sending fails', async () => {
  const connection = new OverSocket()
  connection.sendData = (): never => {
    connection.socket.write(new Uint8Array(4))
    throw new Error('the line is cut')
  }
  gatherWrites(connection)
  assert.throws(() => connection.sendData([]), /the line is cut/)
  assert.deepEqual(connection.writes, [4])
})

test('a connection over no socket is left as it is', () => {
  const sendData = (): number => 0
  for (const connection of [{ sendData }, { sendData, socket: {} }]) {
    gatherWrites(connection)
    assert.equal(connection.sendData, sendData)
  }
})
