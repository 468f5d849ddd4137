/** Why a run ended, from what an engine says of it. Pure. */
import type { ExecutionReason } from '../executor.ts'
import type { ContainerEnd } from './container.ts'

export interface Cause {
  readonly reason: ExecutionReason
  readonly detail: string
}

const killed = 128 + 9

export interface EndSeen {
  readonly end: ContainerEnd
  /** Whether the guard still ran when the program had ended. */
  readonly isGuarded: boolean
  /** How long it ran. */
  readonly wallMs: number
  readonly wallMsMax: number
}

/** Null: it was not ended by its guard, which does that when time is over or the peer was away for too long. */
export function causeOfGuard({ end, isGuarded, wallMs, wallMsMax }: EndSeen): Cause | null {
  if (isGuarded && end.exitCode !== killed) return null
  if (wallMs >= wallMsMax) return { reason: 'wall-limit', detail: `it took longer than the ${wallMsMax} ms allowed` }
  return isGuarded ? null : { reason: 'executor-failed', detail: 'its peer was away for too long' }
}

/**
 * We did not end it by SIGKILL: so it was the kernel, for memory (not every engine says so), or it ends with that code because
 * a helper of its own was, or killed it.
 */
export function causeOf({ exitCode, wasOutOfMemory }: ContainerEnd, detail: string): Cause {
  // One that lost a helper to the kernel, and came to a good end without it, has ended well.
  if (wasOutOfMemory && exitCode === 0)
    return { reason: 'exited', detail: detail || 'one of its processes was killed for want of memory' }
  if (wasOutOfMemory || exitCode === killed)
    return { reason: 'memory-limit', detail: 'it was killed, as what needs more memory than is allowed' }
  return { reason: 'exited', detail }
}

/** The image has no such program, or one that is none: the engine finds out when it starts it. */
export function isNoProgram(error: unknown): boolean {
  return (
    error instanceof Error &&
    /executable file .*not found|no such file or directory|exec format error|permission denied.*exec|no command or entrypoint|no command specified/i.test(
      error.message,
    )
  )
}
