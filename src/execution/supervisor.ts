/**
 * Who watches over one child, whatever becomes of the peer: a shell, its guard, and the files of one folder. The README of
 * this folder says why it is a shell.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { supervisorDescriptor } from './child/descriptors.ts'

/** The names of a run's files, in its folder. */
export const runFiles = {
  stdout: 'stdout',
  stderr: 'stderr',
  record: 'record',
  /** The process ids of the supervisor and its guard, and the start time of the first; its date is when the run began. */
  supervisor: 'supervisor',
  /** The process id and start time of the peer that the run belongs to. */
  peer: 'peer',
  /** How the child ended: its exit code, or a word of the guard's. Its date is when. */
  ending: 'ending',
} as const

/** What the guard says when it ended the child. */
export type GuardWord = 'wall-limit' | 'alone'

/**
 * Arguments: CPU time in seconds; the largest file in blocks of 512 bytes; memory in KiB; wall time in seconds; for how many
 * seconds it may be without its peer; then the command.
 *
 * A process is known by its id and its start time, field 22 of /proc/PID/stat (proc_pid_stat(5)), because ids are used
 * again; where there is no /proc, by its id alone. `-$$` is the process group that the shell leads. The guard holds none of
 * the child's descriptors. What shells say of children that were killed must not stand in the program's stderr.
 */
export const supervisorScript = `
cpu=$1 file=$2 memory=$3 wall=$4 alone_max=$5
shift 5
exec ${supervisorDescriptor}>&2 2>/dev/null
start_of() {
  start=
  { read -r line </proc/$1/stat; } 2>/dev/null || return 0
  set -- \${line##*) }
  start=\${20}
}
guard() {
  alone=0
  while :; do
    sleep 1
    wall=$((wall - 1))
    [ $wall -gt 0 ] || { echo wall-limit >${runFiles.ending}; break; }
    read -r peer since <${runFiles.peer}
    start_of $peer
    if [ "$start" = "$since" ] && kill -0 $peer; then alone=0; else alone=$((alone + 1)); fi
    [ $alone -lt $alone_max ] || { echo alone >${runFiles.ending}; break; }
  done
  kill -9 -$$
}
guard </dev/null >/dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
start_of $$
echo $$ $! $start >${runFiles.supervisor}
(
  ulimit -c 0; ulimit -n 512; ulimit -t $cpu; ulimit -f $file; ulimit -d $memory
  echo 1000 >/proc/self/oom_score_adj
  cd /
  exec "$@" 2>&${supervisorDescriptor} ${supervisorDescriptor}>&-
)
echo $? >${runFiles.ending}
kill -9 -$$
`

export interface ProcessName {
  readonly pid: number
  /** In the system's ticks since it was started; empty where the system does not say. */
  readonly start: string
}

/** Undefined when there is no such process any more, or only what its parent has not collected yet. */
export function processNamed(pid: number): ProcessName | undefined {
  const fields = statFields(pid)
  if (fields === undefined) {
    if (process.platform === 'linux' || !isThere(pid)) return undefined
    return { pid, start: '' }
  }
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : { pid, start: fields[19] ?? '' }
}

export function isRunning({ pid, start }: ProcessName): boolean {
  return processNamed(pid)?.start === start
}

/** Fields of /proc/PID/stat from the third, the state, on: the second may hold anything. */
export function statFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}

/** Ends the supervisor and all of its group. Harmless when they have ended. */
export function killGroup(name: ProcessName): void {
  if (!isRunning(name)) return
  try {
    process.kill(-name.pid, 'SIGKILL')
  } catch {
    // The group is empty: everything in it has ended.
  }
}

/** Says to which peer a run belongs: to this process. */
export function claimRun(folder: string): void {
  const { pid, start } = processNamed(process.pid) ?? { pid: process.pid, start: '' }
  writeFileSync(join(folder, runFiles.peer), `${pid} ${start}\n`, { mode: 0o600 })
}

export interface RunFacts {
  readonly supervisor: ProcessName
  readonly guardPid: number
  /** By the machine's clock. */
  readonly startedMs: number
}

/** Undefined when nothing was started in this folder. */
export function readRun(folder: string): RunFacts | undefined {
  const path = join(folder, runFiles.supervisor)
  const line = readLine(path)
  const [, pid, guardPid, start = ''] = /^([1-9]\d{0,9}) ([1-9]\d{0,9}) ?(\d*)$/.exec(line ?? '') ?? []
  if (pid === undefined) return undefined
  return {
    supervisor: { pid: Number(pid), start },
    guardPid: Number(guardPid),
    startedMs: statSync(path).mtimeMs,
  }
}

export interface RunEnding {
  readonly said: GuardWord | number
  readonly endedMs: number
}

/** Undefined as long as it runs, and when it was ended together with its supervisor. */
export function readEnding(folder: string): RunEnding | undefined {
  const path = join(folder, runFiles.ending)
  const line = readLine(path)
  if (line === undefined) return undefined
  const endedMs = statSync(path).mtimeMs
  if (line === 'wall-limit' || line === 'alone') return { said: line, endedMs }
  return /^\d{1,3}$/.test(line) ? { said: Number(line), endedMs } : undefined
}

/** The first line, when it is whole. */
function readLine(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'latin1')
    return text.includes('\n') ? text.slice(0, text.indexOf('\n')).trimEnd() : undefined
  } catch {
    return undefined
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
