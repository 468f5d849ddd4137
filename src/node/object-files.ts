/** What a person names to be put, or to be written: looked at before anything is done, so that an hour's transfer does not end at a name. */
import { access, constants, readdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

import { ControlError } from '../control/api.ts'
import { TarError } from '../execution/tar-format.ts'
import { ObjectTooLargeError, SourceChangedError } from '../storage/seal.ts'
import { systemCode } from '../storage/system-code.ts'

export interface Source {
  readonly isFolder: boolean
  /** Of a file; 0 of a folder. */
  readonly bytes: number
}

/** Throws a ControlError unless it is a file or a folder that can be read: a pipe would be waited for without end. */
export async function checkSource(path: string): Promise<Source> {
  try {
    const found = await stat(path)
    if (!found.isFile() && !found.isDirectory())
      throw unusable(path, 'it is neither a file nor a folder', 'put what comes out of it: … | pleach put -')
    await access(path, constants.R_OK)
    return { isFolder: found.isDirectory(), bytes: found.isFile() ? found.size : 0 }
  } catch (error) {
    throw toldOfSource(error, path)
  }
}

/** Throws a ControlError when nothing can be written there. A folder is not mixed with what another holds; a file is replaced. */
export async function checkDestination(path: string, isFolder: boolean): Promise<void> {
  const folder = dirname(path)
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    const isMissing = systemCode(error) === 'ENOENT'
    throw unusable(path, isMissing ? `there is no folder ${folder}` : (error as Error).message, `mkdir -p ${folder}`)
  }
  const there = await stat(path).catch(() => undefined)
  if (there === undefined) return
  if (there.isDirectory() && !isFolder)
    throw unusable(path, 'it is a folder, and a file is to be written', '-o FOLDER/NAME')
  if (!there.isDirectory() && isFolder)
    throw unusable(path, 'it is a file, and a folder is to be written', '-o NEW-FOLDER')
  if (isFolder && (await readdir(path)).length > 0)
    throw unusable(path, 'it is a folder that holds something already', '-o NEW-FOLDER')
}

/** The same error in a person's words, when it is about what was to be put; else the error itself. */
export function toldOfSource(error: unknown, path: string): unknown {
  const code = systemCode(error)
  if (code === 'ENOENT') return unusable(path, 'it is not there', `ls -l ${dirname(path)}`)
  if (code === 'EACCES' || code === 'EPERM')
    return unusable(
      path,
      `the peer, another process, may not read it: ${(error as Error).message}`,
      `chmod u+r ${path}`,
    )
  if (error instanceof TarError)
    return unusable(path, error.message, 'put a tar of your own: tar -c FOLDER | pleach put -')
  if (error instanceof SourceChangedError)
    return unusable(path, 'it was written to while it was read', 'put it again when nobody writes to it')
  if (error instanceof ObjectTooLargeError)
    return new ControlError({
      code: 'TOO_LARGE',
      what: `${path} is too large for this code`,
      why: error.message,
      cure: 'pleach put --code deep FILE',
      exit: 2,
    })
  return error
}

function unusable(path: string, why: string, cure: string): ControlError {
  return new ControlError({ code: 'PATH_UNUSABLE', what: `${path} cannot be used`, why, cure, exit: 2 })
}
