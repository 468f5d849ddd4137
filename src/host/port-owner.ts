/** Who listens on a TCP port of this machine, as far as /proc tells: for error messages, never for decisions. */
import { readFile, readdir, readlink } from 'node:fs/promises'

export interface PortOwner {
  readonly pid: number
  readonly command: string
}

const listenState = '0A'

/** Undefined when it cannot be told: no /proc, or the process of another user. */
export async function ownerOfPort(port: number): Promise<PortOwner | undefined> {
  try {
    const inodes = new Set((await Promise.all(['tcp', 'tcp6'].map(async (table) => listeners(table, port)))).flat())
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
      if (!(await holds(pid, inodes))) continue
      return { pid: Number(pid), command: (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() }
    }
  } catch {
    // Not Linux, or not allowed to look.
  }
  return undefined
}

/** Inodes of the sockets that listen on the port. Columns: slot, local address, remote address, state, … inode. */
async function listeners(table: string, port: number): Promise<string[]> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const text = await readFile(`/proc/net/${table}`, 'utf8').catch(() => '')
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(suffix) === true && columns[3] === listenState)
    .flatMap((columns) => columns[9] ?? [])
}

async function holds(pid: string, inodes: ReadonlySet<string>): Promise<boolean> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => [])
  for (const name of names) {
    const target = await readlink(`/proc/${pid}/fd/${name}`).catch(() => '')
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
    if (inode !== undefined && inodes.has(inode)) return true
  }
  return false
}
