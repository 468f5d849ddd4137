/** Descriptors of folders: everything that a program does by name. Paths are walked name by name and never leave the folder. */
import { Fd, wasi } from '@bjorn3/browser_wasi_shim'

import { nameBytesMax } from '../tar-format.ts'
import type { Budget } from './budget.ts'
import { Folder, HeldFile, type Node } from './nodes.ts'
import { filestatOf, OpenFile } from './open-file.ts'
import { fdstat, Filestat } from './structs.ts'

const folderRights =
  0x0fff_ffff & ~(wasi.RIGHTS_FD_READ | wasi.RIGHTS_FD_WRITE | wasi.RIGHTS_FD_SEEK | wasi.RIGHTS_FD_TELL)
const writeRights = BigInt(wasi.RIGHTS_FD_WRITE)
const text = new TextEncoder()

/** Where a path leads: the folder that holds the last name, and what is there. A bare folder (`.`) has no name. */
interface Place {
  readonly folder: Folder
  readonly name: string
  readonly node: Node | undefined
  /** The path ended in `/`: only a folder will do. */
  readonly folderOnly: boolean
}

export class OpenFolder extends Fd {
  readonly folder: Folder
  readonly #budget: Budget
  readonly #preopenedAs: string | undefined
  /** What a listing goes through: taken when it begins, so that removing while listing skips nothing. */
  #listing: readonly wasi.Dirent[] = []

  constructor(folder: Folder, budget: Budget, preopenedAs?: string) {
    super()
    this.folder = folder
    this.#budget = budget
    this.#preopenedAs = preopenedAs
  }

  override fd_prestat_get(): { ret: number; prestat: wasi.Prestat | null } {
    return this.#preopenedAs === undefined
      ? { ret: wasi.ERRNO_BADF, prestat: null }
      : { ret: wasi.ERRNO_SUCCESS, prestat: wasi.Prestat.dir(this.#preopenedAs) }
  }

  override fd_fdstat_get(): { ret: number; fdstat: wasi.Fdstat } {
    const stat = fdstat(wasi.FILETYPE_DIRECTORY, 0, folderRights)
    stat.fs_rights_inherited = 0x0fff_ffffn
    return { ret: wasi.ERRNO_SUCCESS, fdstat: stat }
  }

  override fd_filestat_get(): { ret: number; filestat: wasi.Filestat } {
    return { ret: wasi.ERRNO_SUCCESS, filestat: statOf(this.folder) }
  }

  override fd_read(): { ret: number; data: Uint8Array } {
    return { ret: wasi.ERRNO_ISDIR, data: new Uint8Array(0) }
  }

  override fd_readdir_single(cookie: bigint): { ret: number; dirent: wasi.Dirent | null } {
    if (cookie === 0n || this.#listing.length === 0) this.#listing = list(this.folder)
    return { ret: wasi.ERRNO_SUCCESS, dirent: this.#listing[Number(cookie)] ?? null }
  }

  override path_filestat_get(_flags: number, path: string): { ret: number; filestat: wasi.Filestat | null } {
    const node = this.#existing(path)
    return typeof node === 'number'
      ? { ret: node, filestat: null }
      : { ret: wasi.ERRNO_SUCCESS, filestat: statOf(node) }
  }

  override path_filestat_set_times(_flags: number, path: string): number {
    const node = this.#existing(path)
    return typeof node === 'number' ? node : wasi.ERRNO_SUCCESS
  }

  override path_open(
    _lookup: number,
    path: string,
    how: number,
    rights: bigint,
    _inheriting: bigint,
    flags: number,
  ): { ret: number; fd_obj: Fd | null } {
    const opened = this.#open(path, how, (rights & writeRights) !== 0n, flags)
    return typeof opened === 'number' ? { ret: opened, fd_obj: null } : { ret: wasi.ERRNO_SUCCESS, fd_obj: opened }
  }

  override path_readlink(path: string): { ret: number; data: string | null } {
    const node = this.#existing(path)
    return { ret: typeof node === 'number' ? node : wasi.ERRNO_INVAL, data: null }
  }

  override path_create_directory(path: string): number {
    const place = this.#place(path)
    if (typeof place === 'number') return place
    if (place.node !== undefined) return wasi.ERRNO_EXIST
    if (place.folder.readonly) return wasi.ERRNO_ROFS
    this.#budget.takeNode(1)
    place.folder.attach(place.name, new Folder())
    return wasi.ERRNO_SUCCESS
  }

  override path_remove_directory(path: string): number {
    const place = this.#place(path)
    if (typeof place === 'number') return place
    if (place.node === undefined) return wasi.ERRNO_NOENT
    if (place.node.kind !== 'folder') return wasi.ERRNO_NOTDIR
    if (place.name === '') return wasi.ERRNO_BUSY
    if (place.folder.readonly || place.node.readonly) return wasi.ERRNO_ROFS
    if (place.node.entries.size > 0) return wasi.ERRNO_NOTEMPTY
    place.folder.detach(place.name)
    place.node.parent = undefined
    this.#budget.takeNode(-1)
    return wasi.ERRNO_SUCCESS
  }

  override path_unlink_file(path: string): number {
    const place = this.#place(path)
    if (typeof place === 'number') return place
    if (place.node === undefined) return wasi.ERRNO_NOENT
    if (place.node.kind === 'folder') return wasi.ERRNO_ISDIR
    if (place.folderOnly) return wasi.ERRNO_NOTDIR
    if (place.folder.readonly || place.node.readonly) return wasi.ERRNO_ROFS
    place.folder.detach(place.name)
    place.node.unnamed()
    return wasi.ERRNO_SUCCESS
  }

  /** rename(2): replaces a file by a file, an empty folder by a folder; never puts a folder into itself. */
  rename(path: string, target: OpenFolder, targetPath: string): number {
    const from = this.#place(path)
    if (typeof from === 'number') return from
    const to = target.#place(targetPath)
    if (typeof to === 'number') return to
    const { node } = from
    if (node === undefined) return wasi.ERRNO_NOENT
    if (node === to.node) return wasi.ERRNO_SUCCESS
    if (from.name === '' || to.name === '') return wasi.ERRNO_BUSY
    if (from.folder.readonly || to.folder.readonly || node.readonly) return wasi.ERRNO_ROFS
    if (node.kind === 'folder') {
      if (isWithin(to.folder, node)) return wasi.ERRNO_INVAL
      if (to.node !== undefined && to.node.kind !== 'folder') return wasi.ERRNO_NOTDIR
      if (to.node !== undefined && to.node.entries.size > 0) return wasi.ERRNO_NOTEMPTY
      if (to.node?.readonly === true) return wasi.ERRNO_ROFS
    } else {
      if (to.node?.kind === 'folder') return wasi.ERRNO_ISDIR
      if (to.folderOnly) return wasi.ERRNO_NOTDIR
      if (to.node?.readonly === true) return wasi.ERRNO_ROFS
    }
    if (to.node instanceof HeldFile) to.node.unnamed()
    else if (to.node !== undefined) this.#budget.takeNode(-1)
    from.folder.detach(from.name)
    to.folder.attach(to.name, node)
    return wasi.ERRNO_SUCCESS
  }

  #open(path: string, how: number, writable: boolean, flags: number): Fd | number {
    const wants = (flag: number): boolean => (how & flag) !== 0
    const place = this.#place(path)
    if (typeof place === 'number') return place
    let { node } = place
    if (node === undefined) {
      if (!wants(wasi.OFLAGS_CREAT)) return wasi.ERRNO_NOENT
      if (wants(wasi.OFLAGS_DIRECTORY) || place.folderOnly) return wasi.ERRNO_INVAL
      if (place.folder.readonly) return wasi.ERRNO_ROFS
      node = new HeldFile(this.#budget)
      place.folder.attach(place.name, node)
      return new OpenFile(node, flags, writable)
    }
    if (wants(wasi.OFLAGS_CREAT) && wants(wasi.OFLAGS_EXCL)) return wasi.ERRNO_EXIST
    if (node.kind === 'folder') {
      return wants(wasi.OFLAGS_TRUNC) ? wasi.ERRNO_ISDIR : new OpenFolder(node, this.#budget)
    }
    if (wants(wasi.OFLAGS_DIRECTORY) || place.folderOnly) return wasi.ERRNO_NOTDIR
    if (node.readonly) return writable || wants(wasi.OFLAGS_TRUNC) ? wasi.ERRNO_ROFS : new OpenFile(node, flags, false)
    if (wants(wasi.OFLAGS_TRUNC)) node.resize(0)
    return new OpenFile(node, flags, writable)
  }

  #existing(path: string): Node | number {
    const place = this.#place(path)
    if (typeof place === 'number') return place
    if (place.node === undefined) return wasi.ERRNO_NOENT
    return place.folderOnly && place.node.kind !== 'folder' ? wasi.ERRNO_NOTDIR : place.node
  }

  /** Or an error number: the way there is missing, is no folder, or would leave this one. */
  #place(path: string): Place | number {
    if (path === '') return wasi.ERRNO_NOENT
    if (path.startsWith('/')) return wasi.ERRNO_NOTCAPABLE
    // The replacement character: the shim decodes leniently, and two different names must not become one.
    if (path.includes('\0') || path.includes('\ufffd')) return wasi.ERRNO_ILSEQ
    const names = path.split('/')
    const folderOnly = names.at(-1) === '' || names.at(-1) === '.' || names.at(-1) === '..'
    const parts = names.filter((name) => name !== '' && name !== '.')
    const way: Folder[] = [this.folder]
    let place: Place = { folder: this.folder, name: '', node: this.folder, folderOnly: true }
    for (const part of parts) {
      const folder = place.node
      if (folder === undefined) return wasi.ERRNO_NOENT
      if (folder.kind !== 'folder') return wasi.ERRNO_NOTDIR
      if (part === '..') {
        // The folder that we are in lies at the end of the way; its own parent is before it.
        if (way.length < 2) return wasi.ERRNO_NOTCAPABLE
        way.pop()
        place = { folder: way.at(-1)!, name: '', node: way.at(-1), folderOnly: true }
        continue
      }
      if (text.encode(part).byteLength > nameBytesMax) return wasi.ERRNO_NAMETOOLONG
      const node = folder.entries.get(part)
      if (node?.kind === 'folder') way.push(node)
      place = { folder, name: part, node, folderOnly }
    }
    return place
  }
}

function statOf(node: Node): Filestat {
  return node.kind === 'folder' ? new Filestat(node.ino, wasi.FILETYPE_DIRECTORY, 0n) : filestatOf(node)
}

function list(folder: Folder): wasi.Dirent[] {
  const self = new wasi.Dirent(1n, folder.ino, '.', wasi.FILETYPE_DIRECTORY)
  const parent = new wasi.Dirent(2n, (folder.parent ?? folder).ino, '..', wasi.FILETYPE_DIRECTORY)
  // Sorted: what a program sees must not depend on the order in which things were made.
  const names = [...folder.entries.keys()].toSorted()
  const entries = names.map((name, index) => {
    const node = folder.entries.get(name)!
    const filetype = node.kind === 'folder' ? wasi.FILETYPE_DIRECTORY : wasi.FILETYPE_REGULAR_FILE
    return new wasi.Dirent(BigInt(index + 3), node.ino, name, filetype)
  })
  return [self, parent, ...entries]
}

function isWithin(folder: Folder, ancestor: Folder): boolean {
  for (let at: Folder | undefined = folder; at !== undefined; at = at.parent) if (at === ancestor) return true
  return false
}
