/**
 * What makes this peer this peer, in one file: its key, its ledger (with its secrets and the keys of its objects) and its settings. The
 * ledger is copied while the peer runs, and the copy says of itself that it is one: whoever starts from it is asked whether the
 * other peer is gone.
 *
 * A tar of `backup.json`, which has the SHA-256 of each of the others, and of these. Not in it: shards, which are others' or can be read
 * again, and what runs.
 */
import { createReadStream, createWriteStream } from 'node:fs'
import { access, chmod, copyFile, link, mkdir, open, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'

import { toString } from 'uint8arrays'
import { z } from 'zod'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { ControlError, type BackupView } from '../control/api.ts'
import type { Clock, Random } from '../environment.ts'
import { packFolder } from '../execution/tar-write.ts'
import type { Store } from '../ledger/store.ts'
import { hashFile } from './hash-file.ts'

export interface BackupDeps {
  readonly ledger: Store
  readonly notary: Notary
  readonly dataDir: string
  readonly clock: Clock
  readonly random: Random
}

export const backupFiles = ['key', 'ledger.db', 'config.yaml'] as const
export const contentsName = 'backup.json'
export const contentsSchema = z.strictObject({
  v: z.literal(1),
  kind: z.literal('pleach-backup'),
  peer: z.string(),
  network: z.string(),
  madeMs: z.int().min(0),
  receipts: z.int().min(0),
  files: z.array(z.strictObject({ name: z.enum(backupFiles), bytes: z.int(), sha256: z.string() })),
})
/** A ledger of the largest, and more than the rest. */
export const backupLimits = { entriesMax: 16, bytesMax: 4 * 1024 ** 3 + 2 ** 20 }

/** `path` must not exist; it is readable by its owner alone. Throws a ControlError PATH_UNUSABLE or KEY_UNUSABLE. */
export async function writeBackup(
  { ledger, notary, dataDir, clock, random }: BackupDeps,
  { path, config }: { readonly path: string; readonly config?: string },
  signal: AbortSignal,
): Promise<BackupView> {
  if (!isAbsolute(path) || (await exists(path)))
    throw unusable(
      path,
      isAbsolute(path) ? 'something is there, and a backup overwrites nothing' : 'it is not absolute',
    )
  const scratch = join(dataDir, `backup-${toString(random.bytes(6), 'hex')}`)
  const folder = join(scratch, 'files')
  const part = `${path}.part`
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await copyKey(join(dataDir, 'key'), join(folder, 'key'))
    if (config !== undefined) await writeFile(join(folder, 'config.yaml'), config)
    await ledger.copyTo(join(folder, 'ledger.db'))
    const madeMs = clock.nowMs()
    const receipts = markAsCopy(join(folder, 'ledger.db'), madeMs)
    const files = []
    for (const name of backupFiles)
      if (name !== 'config.yaml' || config !== undefined)
        files.push({ name, ...(await hashFile(join(folder, name), signal)) })
    const { signer, network } = notary
    const contents = { v: 1, kind: 'pleach-backup', peer: signer.peer, network, madeMs, receipts, files } as const
    await writeFile(join(folder, contentsName), JSON.stringify(contents))
    const tarPath = join(scratch, 'backup.tar')
    await packFolder(folder, tarPath, backupLimits)
    signal.throwIfAborted()
    await place(tarPath, part, path, signal)
    return { v: 1, path, peer: signer.peer, bytes: (await stat(path)).size, receipts, madeMs }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** A whole file or none, and nothing that came to be there meanwhile is lost. */
async function place(from: string, part: string, path: string, signal: AbortSignal): Promise<void> {
  try {
    await pipeline(createReadStream(from), createWriteStream(part, { flags: 'wx', mode: 0o600, flush: true }), {
      signal,
    })
  } catch (error) {
    signal.throwIfAborted()
    throw unusable(path, (error as Error).message)
  }
  try {
    await link(part, path)
    await syncFolder(dirname(path))
  } catch (error) {
    throw unusable(path, (error as Error).message)
  } finally {
    await rm(part, { force: true })
  }
}

export async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

async function copyKey(from: string, to: string): Promise<void> {
  try {
    await copyFile(from, to)
    await chmod(to, 0o600)
  } catch (error) {
    throw new ControlError({
      code: 'KEY_UNUSABLE',
      what: `the key of this peer cannot be read from ${from}`,
      why: (error as Error).message,
      cure: 'pleach status',
      exit: 6,
    })
  }
}

/** Says so in the copy itself, so that it is known however it is put in its place. Returns how many receipts it has. */
function markAsCopy(path: string, madeMs: number): number {
  const db = new DatabaseSync(path)
  try {
    db.exec('PRAGMA journal_mode=DELETE')
    db.prepare('INSERT OR REPLACE INTO doubts (code, facts, since_ms) VALUES (?, ?, ?)').run(
      'LEDGER_RESTORED',
      JSON.stringify({ madeMs }),
      madeMs,
    )
    return (db.prepare('SELECT count(*) AS count FROM receipts').get() as { count: number }).count
  } finally {
    db.close()
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function unusable(path: string, why: string): ControlError {
  return new ControlError({
    code: 'PATH_UNUSABLE',
    what: `${path} cannot be written`,
    why,
    cure: 'pleach backup NEW-FILE',
    exit: 6,
  })
}
