/** What a run writes down in its folder, so that the peer finds its container again after a restart. */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { z } from 'zod'

const fileName = 'container.json'
const keptSchema = z.strictObject({
  /** The `id` of its task. */
  task: z.string(),
  /** By the machine's clock. */
  startedMs: z.number(),
  /** What is run; null until all is made that is needed to run it. */
  image: z.strictObject({ reference: z.string(), digest: z.string() }).nullable(),
})

export type KeptContainer = z.infer<typeof keptSchema>

/** Makes the folder, unless it is there. */
export async function writeKept(folder: string, kept: KeptContainer): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, fileName)
  await writeFile(`${path}.new`, JSON.stringify(kept), { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** Undefined when no container was begun in this folder. */
export async function readKept(folder: string): Promise<KeptContainer | undefined> {
  try {
    return keptSchema.parse(JSON.parse(await readFile(join(folder, fileName), 'utf8')))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * Whether the engine has thrown away the beginning of a log that became too long: Podman then begins another file, later than
 * the program, and Docker keeps the old one under another name. Where the file cannot be seen, it is taken to be whole.
 */
export async function isCut(logPath: string, startedMs: number): Promise<boolean> {
  if (logPath === '') return false
  const isThere = await stat(`${logPath}.1`).then(
    () => true,
    () => false,
  )
  const file = await stat(logPath).catch(() => undefined)
  return isThere || (file !== undefined && file.birthtimeMs > startedMs)
}
