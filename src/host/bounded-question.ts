/** The relay library reads a question of any length, and holds up to 4 MiB of it: of each stream that anybody opens. */
import type { Stream } from '@libp2p/interface'

/** A question has an id, a few addresses and no more. */
export const questionBytesMax = 4 * 1024

/** Aborts the stream when more comes on it, until what is returned is called. Before anybody else listens to it. */
export function boundQuestion(stream: Pick<Stream, 'addEventListener' | 'removeEventListener' | 'abort'>): () => void {
  let bytes = 0
  const onMessage = ({ data }: { readonly data: { readonly byteLength: number } }): void => {
    bytes += data.byteLength
    if (bytes > questionBytesMax) stream.abort(new Error('a question to a relay is not so long'))
  }
  stream.addEventListener('message', onMessage)
  return () => stream.removeEventListener('message', onMessage)
}
