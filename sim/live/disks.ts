/** Where the disks of live peers are. */
import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'

/** Linux's file system in memory. */
const memoryFolder = '/dev/shm'
/** What the folder of one peer comes to: its ledger, mostly, and what is under way to it. */
const folderBytes = 2 * 1024 * 1024

/**
 * Where the ledgers of all peers are: in memory where there is room for them. They wait for the disk at every statement, and
 * hundreds that wait for one disk would be a measurement of that disk.
 */
export async function parentFolder(peers: number): Promise<string> {
  const { bavail, bsize } = await statfs(memoryFolder).catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize > peers * folderBytes ? memoryFolder : tmpdir()
}
