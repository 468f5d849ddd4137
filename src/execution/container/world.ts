/** What all runs in one engine have in common, and what of the engine's belongs to which of them. */
import type { Clock, Log } from '../../environment.ts'
import { removeContainer, removeVolume } from './container.ts'
import type { Engine } from './engine.ts'
import type { Images } from './images.ts'
import type { EngineKind } from './socket.ts'

/** Of what belongs to a task in the engine; its parts are added. */
export function nameOf(owner: string, task: string): string {
  return `pleach-${owner}-${task.slice(0, 32)}`
}

export interface ContainerWorld {
  readonly clock: Clock
  readonly log: Log
  readonly engine: Engine
  readonly kind: EngineKind
  readonly owner: string
  readonly images: Images
  /** The image of the guard. */
  readonly guardReference: string
}

/** All that is there of a task. A program has the processes of its guard, which cannot go before it. */
export async function removeRun(engine: Engine, owner: string, task: string, signal: AbortSignal): Promise<void> {
  const name = nameOf(owner, task)
  for (const part of ['program', 'guard']) await removeContainer(engine, `${name}-${part}`, signal)
  for (const part of ['in', 'out']) await removeVolume(engine, `${name}-${part}`, signal)
}
