/**
 * Starts the child process of one task: its rights, its open files, its place among the machine's processes.
 *
 * The program runs on the child's only thread, which therefore cannot notice anything while it runs. What ends it when the
 * peer is gone is a watchdog: a shell, one process and no thread of ours, which waits for a pipe to close and then kills its
 * process group. It costs a fork of `sh`; a worker thread in the child, the other way, costs 35 ms and 23 MB per task.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism, setPriority } from 'node:os'
import type { Readable } from 'node:stream'

import { bootstrap, readChildCode, type ChildCode, type ChildInput } from './child-code.ts'
import type { ChildTask } from './child-protocol.ts'
import { outputsDescriptor, recordDescriptor, watchDescriptor } from './child/descriptors.ts'

/** Of the child's JavaScript: names of files, tables of functions, objects of garbage-collected programs. Not linear memory. */
export const heapMiBMax = 128
/** Functions in one table of the program; LLVM makes tables of thousands. */
const tableEntriesMax = 1_000_000
/** The owner's own work, and the peer's, come first. */
const niceness = 10
/** The kernel's first choice when memory runs out, before the peer and before anything of the owner's. */
const oomScore = '1000'
/** CPU time beyond which the kernel itself ends the child, whatever became of the peer and of the watchdog. */
const cpuSlackSeconds = 10

/**
 * $1 is the CPU time in seconds; the rest is the command. The watchdog lets go of every pipe but its own, or the peer would
 * wait for them to close. `-$$` is the process group that the shell leads: the watchdog and the child, never another.
 */
const script = `
ulimit -c 0 2>/dev/null; ulimit -t "$1" 2>/dev/null; shift
{ read -r _ <&${watchDescriptor}; kill -9 -$$; } </dev/null >/dev/null 2>&1 3>&- 4>&- &
exec "$@" ${watchDescriptor}<&-
`

/** No right at all: no files, no processes, no threads, no addons, no inspector, no `eval`. What it needs comes over pipes. */
const nodeFlags = [
  '--permission',
  '--disallow-code-generation-from-strings',
  '--disable-sigusr1',
  // A warning would stand in the program's stderr.
  '--no-warnings',
  `--max-old-space-size=${heapMiBMax}`,
  `--wasm-max-table-size=${tableEntriesMax}`,
]

let childCode: Promise<ChildCode> | undefined

export interface Launched {
  readonly process: ChildProcess
  readonly stdout: Readable
  readonly stderr: Readable
  readonly record: Readable
  readonly outputs: Readable
  /** Ends the child and its watchdog at once. Harmless when they have ended. */
  kill(): void
}

/** `descriptors` become the child's 6, 7, 8, …; the caller closes its own copies. */
export async function launch(task: ChildTask, wallMs: number, descriptors: readonly number[]): Promise<Launched> {
  const input: ChildInput<ChildTask> = { code: await (childCode ??= readChildCode()), task }
  const cpuSeconds = Math.ceil(wallMs / 1_000) * availableParallelism() + cpuSlackSeconds
  const command = [process.execPath, ...nodeFlags, '-e', bootstrap]
  const child = spawn('/bin/sh', ['-c', script, 'sh', String(cpuSeconds), ...command], {
    // A session and process group of its own: the peer's terminal does not reach it, and it can be killed as a whole.
    detached: true,
    cwd: '/',
    env: {},
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe', ...descriptors],
  })
  const pipes = child.stdio as readonly unknown[] as readonly Readable[]
  const { pid } = child
  if (pid !== undefined) yieldTo(pid)
  // A child that ends early closes its pipes under our hands; that it ended is all that matters.
  for (const pipe of child.stdio) pipe?.on('error', () => {})
  child.stdin?.end(JSON.stringify(input))
  return {
    process: child,
    stdout: child.stdout!,
    stderr: child.stderr!,
    record: pipes[recordDescriptor]!,
    outputs: pipes[outputsDescriptor]!,
    kill() {
      pipes[watchDescriptor]?.destroy()
      if (pid === undefined) return
      try {
        process.kill(-pid, 'SIGKILL')
      } catch {
        // The group is empty: everything in it has ended.
      }
    },
  }
}

function yieldTo(pid: number): void {
  try {
    setPriority(pid, niceness)
    writeFileSync(`/proc/${pid}/oom_score_adj`, oomScore)
  } catch {
    // Not every system lets us, and the task runs all the same.
  }
}
