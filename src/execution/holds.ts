/**
 * Who holds a run: its owner's brakes, or the share of the processor that it has used up. It goes on when nobody does. Its
 * supervisor is not held: limits of time go on.
 */
import { treeOf } from './process-usage.ts'
import { isRunning, readRun } from './supervisor.ts'

/** What is started while we look is found by looking again; whoever forks faster than that meets its limit of processes. */
const looksMax = 8

export type Holder = 'owner' | 'share'

export class Holds {
  /** By the run's folder; only what is held. */
  readonly #holders = new Map<string, ReadonlySet<Holder>>()

  hold(folder: string, by: Holder): void {
    this.#holders.set(folder, new Set(this.#holders.get(folder)).add(by))
    signalRun(folder, 'SIGSTOP')
  }

  letGo(folder: string, by: Holder): void {
    const others = new Set(this.#holders.get(folder))
    others.delete(by)
    if (others.size > 0) this.#holders.set(folder, others)
    else this.letGoOfAll(folder)
  }

  /** Also of a run that another peer held. */
  letGoOfAll(folder: string): void {
    this.forget(folder)
    signalRun(folder, 'SIGCONT')
  }

  /** The run has ended. */
  forget(folder: string): void {
    this.#holders.delete(folder)
  }
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
