/** Puts back what `backup.ts` wrote, where no peer is. All of it is verified before any of it is put in its place. */
import { access, chmod, mkdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { realRandom } from '../environment.ts'
import { ControlError } from '../control/api.ts'
import { TarError } from '../execution/tar-format.ts'
import { unpackTar } from '../execution/tar-read.ts'
import { openIdentity } from '../host/index.ts'
import { LedgerError, openLedgerDatabase } from '../ledger/store.ts'
import { closeDatabase } from '../ledger/database.ts'
import { backupLimits, contentsName, contentsSchema, syncFolder } from './backup.ts'
import { hashFile } from './hash-file.ts'

export interface Restored {
  readonly peer: string
  readonly receipts: number
  readonly madeMs: number
  /** Whether its settings were put in their place: only where there were none. */
  readonly settings: boolean
}

/**
 * `dataDir` is locked by the caller. Throws a ControlError PROFILE_LIVES when a key or a ledger is there, BACKUP_DAMAGED when the
 * file is not whole, NO_SUCH_FILE. Then nothing was changed.
 */
export async function restoreBackup(
  path: string,
  { dataDir, configFile }: { readonly dataDir: string; readonly configFile: string },
  signal: AbortSignal,
): Promise<Restored> {
  for (const name of ['key', 'ledger.db', 'ledger.checkpoint'])
    if (await exists(join(dataDir, name))) throw lives(dataDir)
  if (!(await exists(path))) throw noSuchFile(path)
  const folder = join(dataDir, `restore-${Buffer.from(realRandom.bytes(6)).toString('hex')}`)
  try {
    await mkdir(folder, { mode: 0o700 })
    const contents = await verify(path, folder, signal)
    const hasSettings = contents.files.some(({ name }) => name === 'config.yaml') && !(await exists(configFile))
    if (hasSettings) {
      await mkdir(dirname(configFile), { recursive: true, mode: 0o700 })
      await rename(join(folder, 'config.yaml'), configFile)
    }
    // The key last: without it there is no peer here.
    await rename(join(folder, 'ledger.db'), join(dataDir, 'ledger.db'))
    await syncFolder(dataDir)
    await rename(join(folder, 'key'), join(dataDir, 'key'))
    await syncFolder(dataDir)
    const { peer, receipts, madeMs } = contents
    return { peer, receipts, madeMs, settings: hasSettings }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function verify(path: string, folder: string, signal: AbortSignal) {
  try {
    await unpackTar(path, folder, backupLimits)
    const contents = contentsSchema.parse(JSON.parse(await readFile(join(folder, contentsName), 'utf8')))
    for (const { name, bytes, sha256 } of contents.files) {
      const found = await hashFile(join(folder, name), signal)
      if (found.bytes !== bytes || found.sha256 !== sha256) throw new Error(`${name} is not what was written`)
      await chmod(join(folder, name), 0o600)
    }
    for (const name of ['key', 'ledger.db'])
      if (!contents.files.some((file) => file.name === name)) throw new Error(`there is no ${name} in it`)
    const { peer } = await openIdentity(join(folder, 'key'), realRandom)
    if (peer !== contents.peer) throw new Error('the key is of another peer')
    const ledgerPath = join(folder, 'ledger.db')
    closeDatabase(openLedgerDatabase(ledgerPath), ledgerPath)
    return contents
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof LedgerError && error.code === 'LEDGER_TOO_NEW') throw error
    throw damaged(path, error as Error)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function lives(dataDir: string): ControlError {
  return new ControlError({
    code: 'PROFILE_LIVES',
    what: `a peer has its things in ${dataDir}`,
    why: 'a backup is put where none is: it overwrites nothing',
    cure: 'pleach restore --profile another FILE',
    exit: 6,
  })
}

function damaged(path: string, error: Error): ControlError {
  const why =
    error instanceof TarError || error instanceof SyntaxError
      ? `it is cut off, or none: ${error.message}`
      : error.message
  return new ControlError({
    code: 'BACKUP_DAMAGED',
    what: `${path} is no whole backup`,
    why,
    cure: 'take another copy of it; nothing was changed here',
    exit: 3,
  })
}

function noSuchFile(path: string): ControlError {
  return new ControlError({
    code: 'NO_SUCH_FILE',
    what: `${path} cannot be read`,
    why: 'there is no such file, or this user may not read it',
    cure: `ls -l ${path}`,
    exit: 2,
  })
}
