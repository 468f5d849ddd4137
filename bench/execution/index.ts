/** Programs of strangers: how soon they start, how fast they run beside the machine's own, and what counting them costs. */
import type { Bench } from '../bench.ts'
import { coldStart } from './cold-start.ts'
import { counter } from './counter.ts'
import { native } from './native.ts'

export const execution: Bench = {
  name: 'execution',
  about: 'programs in WebAssembly: cold start, beside native ones, and the counter of gas',
  parts: [coldStart, native, counter],
}
