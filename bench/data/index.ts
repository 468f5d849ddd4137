/** The data plane, part by part: what is coded, sealed, carried and read back, beside what the machine could do at best. */
import type { Bench } from '../bench.ts'
import { codec } from './codec.ts'
import { get } from './get.ts'
import { links } from './links.ts'
import { loop } from './loop.ts'
import { memory } from './memory.ts'
import { processor } from './processor.ts'
import { resume } from './resume.ts'
import { seal } from './seal.ts'

export const data: Bench = {
  name: 'data',
  about: 'the data plane beside the limits of the machine',
  parts: [codec, seal, links, loop, get, processor, memory, resume],
}
