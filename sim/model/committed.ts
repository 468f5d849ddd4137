/** A change to a ledger: it is there, for everybody and for good, when this resolves, and not before. */
import { DiskError, type DiskLife, type ModelDisk } from './files.ts'

/** A life that ends earlier takes the change with it. */
export async function committed(disk: ModelDisk, life: DiskLife, change: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  life.after(disk.delayMs(true), () => {
    if (disk.isFull) return reject(new DiskError('ENOSPC', 'the ledger'))
    change()
    disk.onEffect()
    // Whoever dies right after the write has nobody to tell.
    if (!life.isOver) resolve()
  })
  return promise
}
