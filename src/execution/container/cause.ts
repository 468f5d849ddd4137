/** Why a run ended, from what an engine says of it. Pure. */
import type { ExecutionReason } from '../executor.ts'
import type { ContainerEnd } from './container.ts'

export interface Cause {
  readonly reason: ExecutionReason
  readonly detail: string
}

/**
 * The first program of a container cannot be ended from inside by SIGKILL, and we did not: so it was the kernel, for memory
 * (not every engine says so), or it ends with that code because a child of it was.
 */
export function causeOf({ exitCode, wasOutOfMemory }: ContainerEnd, detail: string): Cause {
  const killed = 128 + 9
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
