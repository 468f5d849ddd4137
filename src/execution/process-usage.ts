/** What a process and all that it started have used so far, as Linux tells in /proc (proc_pid_stat(5), proc_pid_status(5)). */
import { readFileSync } from 'node:fs'

import { statFields } from './supervisor.ts'

/** The unit of times in /proc; sysconf(_SC_CLK_TCK) is 100 on every Linux that Node runs on. */
const msPerTick = 10
const bytesPerKib = 1_024
/** More than the limit of processes inside walls and what stands around them: what is beyond is not looked at. */
const treeMax = 256

export interface ProcessUsage {
  readonly cpuMs: number
  /** The resident sets, now and at their most. */
  readonly residentBytes: number
  readonly residentBytesPeak: number
}

/** The process and its descendants, those nearest to it first. Empty where there is no /proc. */
export function treeOf(root: number): number[] {
  const tree = statFields(root) === undefined ? [] : [root]
  for (let at = 0; at < tree.length && tree.length < treeMax; at++) tree.push(...childrenOf(tree[at]!))
  return tree.slice(0, treeMax)
}

/** Undefined when none of the processes is there any more, and where there is no /proc. */
export function usageOf(tree: readonly number[]): ProcessUsage | undefined {
  const all = tree.flatMap((pid) => processUsage(pid) ?? [])
  if (all.length === 0) return undefined
  const sum = (key: keyof ProcessUsage): number => all.reduce((total, usage) => total + usage[key], 0)
  return {
    cpuMs: sum('cpuMs'),
    residentBytes: sum('residentBytes'),
    residentBytesPeak: sum('residentBytesPeak'),
  }
}

function processUsage(pid: number): ProcessUsage | undefined {
  try {
    const fields = statFields(pid)
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    // A process that has ended and is not yet collected has no memory any more, and is of no interest.
    if (fields === undefined || kib(status, 'VmRSS') === 0) return undefined
    return {
      // Its own, and that of its children that have ended: who forks for every step hides nothing.
      cpuMs: fields.slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0) * msPerTick,
      residentBytes: kib(status, 'VmRSS') * bytesPerKib,
      residentBytesPeak: kib(status, 'VmHWM') * bytesPerKib,
    }
  } catch {
    return undefined
  }
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return []
  }
}

function kib(status: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
}
