/** Looks at a program in its container again and again: what it uses, and whether it has left too much in /out. */
import { statfs } from 'node:fs/promises'

import { z } from 'zod'

import type { Clock } from '../../environment.ts'
import type { Container, ContainerUsage } from './container.ts'
import { contentAtLeast } from './create-body.ts'
import type { Engine } from './engine.ts'

/** How often /out is looked at (a system call, where it can be seen), and every second time the engine asked for the usage. */
const lookMs = 250
/** `TMPFS_MAGIC` (statfs(2)). */
const tmpfsType = 0x0102_1994
const volumeSchema = z.object({ Mountpoint: z.string().min(1) })

export interface Looked {
  readonly clock: Clock
  readonly engine: Engine
  readonly program: Container
  /** Of /out. */
  readonly volume: string
  readonly outputBytes: number
  onUsage(seen: ContainerUsage): void
  /** There is more in /out than is allowed. */
  onTooMuch(): void
  onError(error: unknown): void
}

/** Returns what stops that. */
export function look({ clock, engine, program, volume, outputBytes, ...tell }: Looked): () => void {
  const ended = new AbortController()
  let mountpoint: string | undefined
  const once = async (round: number): Promise<void> => {
    if (mountpoint === undefined) {
      const found = await engine.ask('GET', `/volumes/${volume}`, { signal: ended.signal })
      mountpoint = volumeSchema.parse(found).Mountpoint
    }
    if (await isTooMuch(mountpoint, outputBytes)) tell.onTooMuch()
    if (round % 2 === 1) return
    const seen = await program.usage(ended.signal)
    if (seen !== undefined) tell.onUsage(seen)
  }
  const go = async (): Promise<void> => {
    for (let round = 0; !ended.signal.aborted; round++) {
      await once(round)
      await clock.sleep(lookMs, ended.signal)
    }
  }
  void go().catch((error: unknown) => {
    if (!ended.signal.aborted) tell.onError(error)
  })
  return () => ended.abort()
}

/** Where the engine's folders cannot be seen, the kernel's limit on /out is all there is until its content is counted. */
async function isTooMuch(mountpoint: string, outputBytes: number): Promise<boolean> {
  const space = await statfs(mountpoint).catch(() => undefined)
  if (space?.type !== tmpfsType) return false
  const { bsize, blocks, bfree, files, ffree } = space
  return contentAtLeast((blocks - bfree) * bsize, files - ffree) > outputBytes || bfree === 0 || ffree === 0
}
