/** A file that the peer writes, to our standard output: nothing is shown that is not verified, so it goes by a file. */
import { createReadStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Terminal } from './terminal.ts'

export async function toStdout(terminal: Terminal, write: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'pleach-stdout-'))
  try {
    const path = join(folder, 'object')
    await write(path)
    for await (const chunk of createReadStream(path)) await terminal.data(chunk as Buffer)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
