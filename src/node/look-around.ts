/** A first look at who lends what. */
import { runtimeAdvert } from '../../protocols/capability/index.ts'
import type { Directory } from '../discovery/directory.ts'
import type { Clock } from '../environment.ts'
import { keepersMax } from './keepers.ts'

/** How long the look at the capability records of others may take. */
const lookWithinMs = 1_000

/** Resolves when it is over, whatever came of it. */
export async function lookAround(
  directory: Directory,
  network: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  using deadline = clock.deadline(lookWithinMs, signal)
  await directory.find(runtimeAdvert(network, 'wasi-preview1'), keepersMax, deadline.signal).catch(() => [])
}
