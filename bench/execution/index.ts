/** Programs of strangers: how soon they start, how fast they run beside the machine's own, and what counting them costs. */
import type { Bench } from '../bench.ts'
import { coldStart } from './cold-start.ts'
import { containerStart } from './container-start.ts'
import { counter } from './counter.ts'
import { native } from './native.ts'

export const execution: Bench = {
  name: 'execution',
  about: 'how soon programs start, in WebAssembly and in containers; beside native ones; and the counter of gas',
  parts: [coldStart, containerStart, native, counter],
}
