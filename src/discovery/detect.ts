/**
 * What this machine has, by its own account: nothing is claimed that was not read from the system, and a container's limits
 * count, not its host's.
 */
import { statfs } from 'node:fs/promises'
import { arch, availableParallelism, totalmem } from 'node:os'
import { constrainedMemory } from 'node:process'

export interface Machine {
  readonly arch: string
  readonly cores: number
  readonly memoryBytes: number
  /** Free for an unprivileged user on the file system of the data folder. */
  readonly diskFreeBytes: number
}

/** `uname -m` words for Node's. */
const architectures: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }

export async function detectMachine(dataDir: string): Promise<Machine> {
  const disk = await statfs(dataDir)
  return {
    arch: architectures[arch()] ?? arch(),
    // Counts the processors that this process may use (affinity and cgroup), not those that are soldered in.
    cores: availableParallelism(),
    memoryBytes: memoryBytes(),
    diskFreeBytes: disk.bavail * disk.bsize,
  }
}

/** Node answers 0, or more than there is, when no limit is set. */
function memoryBytes(): number {
  const limit = constrainedMemory()
  return limit > 0 && limit < totalmem() ? limit : totalmem()
}
