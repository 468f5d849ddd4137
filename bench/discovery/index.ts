/** Finding who can do something, among live peers: by what a peer knows, by asking neighbours, and by the DHT alone. */
import type { Bench } from '../bench.ts'
import { look } from './look.ts'

export const discovery: Bench = {
  name: 'discovery',
  about: 'how a capability is found among 300 live peers',
  parts: [look],
}
