/**
 * The key that signs this peer's vouchers: a secret of secp256k1 in a file of its own, since who this peer is and what it promises
 * may be lost, and moved, apart.
 */
import { link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

import { purseOf, type Purse } from '../../protocols/voucher/index.ts'
import type { Random } from '../environment.ts'

const secretBytes = 32
const fileMode = 0o600
const othersMask = 0o077

export class PurseError extends Error {
  override readonly name = 'PurseError'
  readonly code: 'VOUCHER_KEY_EXPOSED' | 'VOUCHER_KEY_DAMAGED'
  readonly cure: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor(code: PurseError['code'], message: string, cure: string, path: string) {
    super(message)
    this.code = code
    this.cure = cure
    this.facts = { path }
  }
}

/** The key in the file at `path`, made there when there is none. Throws PurseError, and errors of the file system. */
export async function openPurse(path: string, random: Pick<Random, 'bytes'>): Promise<Purse> {
  try {
    return await purseAt(path)
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
  await make(path, random)
  return purseAt(path)
}

async function purseAt(path: string): Promise<Purse> {
  const file = await open(path, 'r')
  try {
    const { mode } = await file.stat()
    if ((mode & othersMask) !== 0)
      throw new PurseError(
        'VOUCHER_KEY_EXPOSED',
        `the voucher key ${path} can be read or written by others (mode 0${(mode & 0o777).toString(8)})`,
        `chmod 600 ${path}`,
        path,
      )
    return purseIn(path, await file.readFile())
  } finally {
    await file.close()
  }
}

/** Whole or not at all, whenever the machine stops. One that is there meanwhile stays. */
async function make(path: string, random: Pick<Random, 'bytes'>): Promise<void> {
  const fresh = `${path}.${Buffer.from(random.bytes(6)).toString('hex')}.new`
  const file = await open(fresh, 'wx', fileMode)
  try {
    await file.writeFile(random.bytes(secretBytes))
    await file.sync()
  } finally {
    await file.close()
  }
  try {
    await link(fresh, path)
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
  } finally {
    await unlink(fresh)
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

function purseIn(path: string, secret: Uint8Array): Purse {
  try {
    if (secret.byteLength === secretBytes) return purseOf(Uint8Array.from(secret))
  } catch {
    // Nothing or too large a number: no key of this curve.
  }
  const cure = `restore ${path} from a backup; moved away, a new one is made, which those who have vouchers will not take`
  throw new PurseError('VOUCHER_KEY_DAMAGED', `the voucher key ${path} is no key of 32 bytes`, cure, path)
}

function isCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException).code === code
}
