/** Programs of strangers: how soon they start. */
import type { Bench } from '../bench.ts'
import { coldStart } from './cold-start.ts'
import { containerStart } from './container-start.ts'

export const execution: Bench = {
  name: 'execution',
  about: 'how soon programs start, in WebAssembly and in containers',
  parts: [coldStart, containerStart],
}
