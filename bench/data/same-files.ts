/** Whether two files have the same bytes. */
import { open } from 'node:fs/promises'

const compareBytes = 2 ** 20

export async function areSame(left: string, right: string): Promise<boolean> {
  await using files = new AsyncDisposableStack()
  const [one, other] = [files.use(await open(left)), files.use(await open(right))]
  const [mine, yours] = [Buffer.alloc(compareBytes), Buffer.alloc(compareBytes)]
  for (let at = 0; ; at += compareBytes) {
    const { bytesRead } = await one.read(mine, 0, compareBytes, at)
    if ((await other.read(yours, 0, compareBytes, at)).bytesRead !== bytesRead) return false
    if (bytesRead === 0) return true
    if (!mine.subarray(0, bytesRead).equals(yours.subarray(0, bytesRead))) return false
  }
}
