/**
 * One peer per profile. The lock is the kernel's, on a file of the data folder: it goes with the process however that ends,
 * is seen from other containers of this machine, and cannot be taken twice by two that start at once. SQLite takes it, because
 * Node has no call of its own for it. Beside it lies the pid file (src/config/pid-file.ts), for people and for clients.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { makePrivateFolder } from '../config/directories.ts'
import { pidFileOf, readPidFile, writePidFile, type RunningPeer } from '../config/pid-file.ts'
import { ControlError } from './api.ts'

export type LockAttempt =
  | { readonly held: true; readonly lock: ProfileLock }
  /** `by` is undefined in the moment before the other one has written its pid file. */
  | { readonly held: false; readonly by: RunningPeer | undefined }

export interface ProfileLock {
  /** Removes the pid file and lets another take the profile. */
  release(): void
}

/** What SQLite answers when another has the file. */
const sqliteBusy = 5

/** Makes the data folder if need be. Throws a ControlError LOCK_FAILED when the file system cannot lock. */
export function lockProfile(dataDir: string, peer: RunningPeer): LockAttempt {
  makePrivateFolder(dataDir)
  const path = join(dataDir, 'lock')
  const file = openLock(path)
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    if ((error as { errcode?: number }).errcode === sqliteBusy) return { held: false, by: readPidFile(dataDir) }
    throw lockFailed(path, error)
  }
  writePidFile(dataDir, peer)
  return {
    held: true,
    lock: {
      release() {
        rmSync(pidFileOf(dataDir), { force: true })
        file.close()
      },
    },
  }
}

function openLock(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path)
  } catch (error) {
    throw lockFailed(path, error)
  }
}

function lockFailed(path: string, error: unknown): ControlError {
  return new ControlError({
    code: 'LOCK_FAILED',
    what: `${path} cannot be locked`,
    why: error instanceof Error ? error.message : String(error),
    cure: 'put the data on a local disk: set XDG_DATA_HOME',
    exit: 6,
  })
}
