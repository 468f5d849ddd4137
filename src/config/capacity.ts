/** What this machine has, and how much of it is lent when its owner does not say. A container's limits count, not its host's. */
import { statfs } from 'node:fs/promises'
import { availableParallelism, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { constrainedMemory } from 'node:process'

export interface Machine {
  readonly cores: number
  readonly memoryBytes: number
  /** On the file system of the data folder. */
  readonly diskFreeBytes: number
  /** How far local time is ahead of UTC. */
  readonly aheadOfUtcMinutes: number
}

const gib = 2 ** 30
const gb = 10 ** 9
/** Enough that others can keep something here, and little enough that nobody notices. */
const storageDefaultMax = 100 * gb
const cacheDefaultMax = 10 * gb

export async function measureMachine(dataDir: string, nowMs: number): Promise<Machine> {
  const limit = constrainedMemory()
  return {
    cores: availableParallelism(),
    memoryBytes: limit > 0 && limit < totalmem() ? limit : totalmem(),
    diskFreeBytes: await freeBytes(dataDir),
    aheadOfUtcMinutes: -new Date(nowMs).getTimezoneOffset(),
  }
}

/** Three quarters of the processors, half of the memory, a quarter of the free disk; round figures. */
export function lendingByDefault(machine: Machine): { cpuMilli: number; memoryBytes: number; keepBytes: number } {
  const half = machine.memoryBytes / 2
  return {
    cpuMilli: Math.max(1, Math.floor((machine.cores * 3) / 4)) * 1_000,
    memoryBytes: half >= gib ? Math.floor(half / gib) * gib : Math.floor(half),
    keepBytes: Math.min(storageDefaultMax, Math.floor(machine.diskFreeBytes / 4 / gb) * gb),
  }
}

/** A tenth of what is lent, and no more than a disk has without anybody noticing: whoever lends nothing gives out nothing unasked. */
export function cacheByDefault(keepBytes: number): number {
  return Math.min(cacheDefaultMax, Math.floor(keepBytes / 10))
}

/** The network has one thread to itself, and more than this outrun the disk. */
const workersDefaultMax = 4

export function workersByDefault({ cores }: Pick<Machine, 'cores'>): number {
  return Math.max(1, Math.min(workersDefaultMax, cores - 1))
}

/** The folder may not be there yet; the nearest one above it is on the same file system as it will be. */
async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder)
    return bavail * bsize
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(folder) === folder) throw error
    return freeBytes(dirname(folder))
  }
}
