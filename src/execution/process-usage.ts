/** What a process has used so far, as Linux tells in /proc (proc_pid_stat(5), proc_pid_status(5)). */
import { readFileSync } from 'node:fs'

/** The unit of times in /proc; sysconf(_SC_CLK_TCK) is 100 on every Linux that Node runs on. */
const msPerTick = 10
const bytesPerKib = 1_024

export interface ProcessUsage {
  readonly cpuMs: number
  /** The resident set, now and at its most. */
  readonly residentBytes: number
  readonly residentBytesPeak: number
}

/** Undefined once the process is gone, and where there is no /proc. */
export function processUsage(pid: number): ProcessUsage | undefined {
  try {
    // The second field is the program's name in parentheses, and may hold anything; the times are fields 14 and 15.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    // A process that has ended and is not yet collected has no memory any more, and is of no interest.
    if (kib(status, 'VmRSS') === 0) return undefined
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * msPerTick,
      residentBytes: kib(status, 'VmRSS') * bytesPerKib,
      residentBytesPeak: kib(status, 'VmHWM') * bytesPerKib,
    }
  } catch {
    return undefined
  }
}

function kib(status: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
}
