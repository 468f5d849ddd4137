/**
 * libp2p's yamux tells the other side of every frame that it may send as much again: for each block a frame, which is encrypted, sent, received,
 * and wakes all streams of that side. Told once half of its window is used up, as the other implementations of yamux do, the other side
 * is never without room: it had the other half meanwhile.
 */

/** What a stream of yamux has, though it does not say so. Sizes are in bytes. */
interface Windowed {
  recvWindow: number
  /** What is left of it. */
  readonly recvWindowCapacity: number
  sendWindowUpdate: () => void
}

/**
 * To be called once the stream is open: the first update opens it. `windowBytes`: the window is at least as wide from the next update on. Of any
 * other stream nothing is changed.
 */
export function updateWindowByHalves(stream: object, windowBytes = 0): void {
  if (!isWindowed(stream)) return
  stream.recvWindow = Math.max(stream.recvWindow, windowBytes)
  const update = stream.sendWindowUpdate.bind(stream)
  stream.sendWindowUpdate = () => {
    if (stream.recvWindowCapacity <= stream.recvWindow / 2) update()
  }
}

function isWindowed(stream: object): stream is Windowed {
  const { recvWindow, recvWindowCapacity, sendWindowUpdate } = stream as Partial<Windowed>
  return (
    typeof recvWindow === 'number' && typeof recvWindowCapacity === 'number' && typeof sendWindowUpdate === 'function'
  )
}
