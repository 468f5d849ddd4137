/** Holds the processes of a run and lets them go on. Its supervisor is not held: limits of time go on. */
import { treeOf } from './process-usage.ts'
import { isRunning, readRun } from './supervisor.ts'

/** What is started while we look is found by looking again; whoever forks faster than that meets its limit of processes. */
const looksMax = 8

export function suspendRun(folder: string): void {
  signalRun(folder, 'SIGSTOP')
}

export function resumeRun(folder: string): void {
  signalRun(folder, 'SIGCONT')
}

function signalRun(folder: string, signal: NodeJS.Signals): void {
  const facts = readRun(folder)
  if (facts === undefined || !isRunning(facts.supervisor)) return
  const told = new Set<number>()
  for (let look = 0; look < looksMax; look++) {
    const exempt = new Set([facts.supervisor.pid, ...treeOf(facts.guardPid)])
    const tree = treeOf(facts.supervisor.pid).filter((pid) => !exempt.has(pid) && !told.has(pid))
    if (tree.length === 0) return
    for (const pid of tree) {
      told.add(pid)
      send(pid, signal)
    }
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended meanwhile.
  }
}
