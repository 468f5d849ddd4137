/** Reads what gossipsub sends, byte by byte and without gossipsub: so that what is counted elsewhere can be counted once more. */

/** The data of all messages in the frames of one stream: a length, and then an RPC whose second field, repeated, is messages. */
export function messagesIn(stream: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < stream.byteLength;) {
    const [length, start] = varint(stream, at)
    at = start + length
    for (const message of fields(stream.subarray(start, at), 2))
      for (const data of fields(message, 2)) messages.push(data)
  }
  return messages
}

/** The fields of a message of protobuf that have this number and are bytes. */
function fields(message: Uint8Array, wanted: number): Uint8Array[] {
  const found: Uint8Array[] = []
  for (let at = 0; at < message.byteLength;) {
    const [tag, next] = varint(message, at)
    const [value, start] = varint(message, next)
    if ((tag & 7) !== 2) {
      at = start
      continue
    }
    at = start + value
    if (tag >>> 3 === wanted) found.push(message.subarray(start, at))
  }
  return found
}

function varint(bytes: Uint8Array, from: number): [value: number, next: number] {
  let value = 0
  for (let at = from, scale = 1; at < bytes.byteLength; at++, scale *= 128) {
    value += (bytes[at]! & 127) * scale
    if (bytes[at]! < 128) return [value, at + 1]
  }
  throw new Error('a frame ends in the middle of a number')
}
