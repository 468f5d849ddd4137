// The files that a program sees, by the calls that the shim makes: POSIX where it matters, and every byte paid for.

import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'

import { wasi } from '@bjorn3/browser_wasi_shim'
import fc from 'fast-check'

import { Budget, nodesMax } from '../../src/execution/child/budget.ts'
import { buildTree } from '../../src/execution/child/inputs.ts'
import type { OpenFile } from '../../src/execution/child/open-file.ts'
import { OpenFolder } from '../../src/execution/child/open-folder.ts'
import { writeOutputs } from '../../src/execution/child/outputs.ts'
import { PagedBytes } from '../../src/execution/child/paged-bytes.ts'
import { TarDecoder } from '../../src/execution/tar-decoder.ts'
import { Scratch } from '../fixtures/executions.ts'

const { OFLAGS_CREAT: create, OFLAGS_EXCL: exclusive, OFLAGS_TRUNC: truncate, OFLAGS_DIRECTORY: directory } = wasi
const readWrite = BigInt(wasi.RIGHTS_FD_READ | wasi.RIGHTS_FD_WRITE)
const mib = 1_024 * 1_024

class Ended extends Error {}

function world(limits = { memoryBytes: 8 * mib, outputBytes: mib }) {
  const budget = new Budget({ ...limits, logBytes: 1 }, (reason, detail) => {
    throw new Ended(`${reason}: ${detail}`)
  })
  const tree = buildTree([], budget)
  const root = new OpenFolder(tree.root, budget, '/')
  const open = (path: string, how = 0, flags = 0): OpenFile => {
    const { ret, fd_obj } = root.path_open(0, path, how, readWrite, 0n, flags)
    assert.equal(ret, 0, `opening ${path} gives ${ret}`)
    return fd_obj as OpenFile
  }
  const write = (path: string, text: string): void => {
    const file = open(path, create)
    file.fd_write(Buffer.from(text))
    file.fd_close()
  }
  const read = (path: string): string => {
    const { ret, fd_obj } = root.path_open(0, path, 0, 0n, 0n, 0)
    return ret === 0 ? Buffer.from((fd_obj as OpenFile).fd_read(1_000).data).toString() : `error ${ret}`
  }
  const names = (path: string): string[] => {
    const folder = root.path_open(0, path, directory, 0n, 0n, 0).fd_obj as OpenFolder
    const found: string[] = []
    for (let cookie = 0n; ;) {
      const { dirent } = folder.fd_readdir_single(cookie)
      if (dirent === null) return found
      found.push(Buffer.from(dirent.dir_name).toString())
      cookie = dirent.d_next
    }
  }
  return { budget, root, out: tree.out, open, write, read, names }
}

describe('paths', () => {
  test('name what they should', () => {
    const { root, write, read } = world()
    root.path_create_directory('tmp/a')
    write('tmp/a/file', 'x')
    for (const path of ['tmp/a/file', './tmp//a/./file', 'tmp/a/../a/file', 'out/../tmp/a/file'])
      assert.equal(read(path), 'x', path)
  })

  test('fail as POSIX says', () => {
    const { root, write } = world()
    write('tmp/file', 'x')
    const open = (path: string, how = 0): number => root.path_open(0, path, how, readWrite, 0n, 0).ret
    assert.equal(open('tmp/none'), wasi.ERRNO_NOENT)
    assert.equal(open('none/file', create), wasi.ERRNO_NOENT)
    assert.equal(open('tmp/file/below', create), wasi.ERRNO_NOTDIR)
    assert.equal(open('tmp/file/'), wasi.ERRNO_NOTDIR)
    assert.equal(open('tmp/file', directory), wasi.ERRNO_NOTDIR)
    assert.equal(open('tmp/file', create | exclusive), wasi.ERRNO_EXIST)
    assert.equal(open(''), wasi.ERRNO_NOENT)
    assert.equal(open('/tmp/file'), wasi.ERRNO_NOTCAPABLE)
    assert.equal(open('..'), wasi.ERRNO_NOTCAPABLE)
    assert.equal(open('tmp/../../etc'), wasi.ERRNO_NOTCAPABLE)
    assert.equal(open('in/new', create), wasi.ERRNO_ROFS)
    assert.equal(open(`tmp/${'n'.repeat(256)}`, create), wasi.ERRNO_NAMETOOLONG)
    assert.equal(open('tmp/\ufffd', create), wasi.ERRNO_ILSEQ)
    assert.equal(root.path_create_directory('tmp'), wasi.ERRNO_EXIST)
    assert.equal(root.path_unlink_file('tmp'), wasi.ERRNO_ISDIR)
    assert.equal(root.path_remove_directory('tmp/file'), wasi.ERRNO_NOTDIR)
    assert.equal(root.path_remove_directory('tmp'), wasi.ERRNO_NOTEMPTY)
    assert.equal(root.path_remove_directory('in'), wasi.ERRNO_ROFS)
    assert.equal(root.path_readlink('tmp/file').ret, wasi.ERRNO_INVAL)
  })
})

describe('files', () => {
  test('append, seek, cut and read at an offset', () => {
    const { open, read } = world()
    const file = open('tmp/f', create)
    file.fd_write(Buffer.from('hello world'))
    assert.equal(file.fd_seek(-5n, wasi.WHENCE_END).offset, 6n)
    file.fd_write(Buffer.from('W'))
    assert.equal(file.fd_tell().offset, 7n)
    assert.equal(Buffer.from(file.fd_pread(5, 0n).data).toString(), 'hello')
    open('tmp/f', 0, wasi.FDFLAGS_APPEND).fd_write(Buffer.from('!'))
    assert.equal(read('tmp/f'), 'hello World!')
    file.fd_filestat_set_size(5n)
    file.fd_pwrite(Buffer.from('x'), 7n)
    assert.equal(read('tmp/f'), 'hello\0\0x')
    open('tmp/f', truncate)
    assert.equal(read('tmp/f'), '')
    assert.equal(file.fd_seek(-1n, wasi.WHENCE_SET).ret, wasi.ERRNO_INVAL)
  })

  test('live on while they are open, and are paid for until they are closed', () => {
    const { root, open, budget } = world()
    const file = open('out/f', create)
    file.fd_write(new Uint8Array(mib))
    assert.equal(budget.outputBytes, mib)
    root.path_unlink_file('out/f')
    assert.equal(budget.outputBytes, 0)
    assert.equal(file.fd_pread(10, 5n).data.byteLength, 10)
    file.fd_write(new Uint8Array(6 * mib))
    assert.throws(() => open('tmp/g', create).fd_write(new Uint8Array(2 * mib)), /memory-limit/)
    file.fd_close()
    open('tmp/h', create).fd_write(new Uint8Array(7 * mib))
  })
})

describe('folders', () => {
  test('list sorted, and skip nothing when names are removed meanwhile', () => {
    const { root, write, names } = world()
    for (const name of ['c', 'a', 'b']) write(`tmp/${name}`, '')
    assert.deepEqual(names('tmp'), ['.', '..', 'a', 'b', 'c'])
    const folder = root.path_open(0, 'tmp', directory, 0n, 0n, 0).fd_obj as OpenFolder
    const seen: string[] = []
    for (let cookie = 0n; ;) {
      const { dirent } = folder.fd_readdir_single(cookie)
      if (dirent === null) break
      const name = Buffer.from(dirent.dir_name).toString()
      if (!name.startsWith('.')) assert.equal(root.path_unlink_file(`tmp/${name}`), 0)
      seen.push(name)
      cookie = dirent.d_next
    }
    assert.deepEqual(seen, ['.', '..', 'a', 'b', 'c'])
    assert.deepEqual(names('tmp'), ['.', '..'])
  })

  test('rename as POSIX says', () => {
    const { root, write, read, names } = world()
    for (const path of ['tmp/d', 'tmp/d/e', 'tmp/empty']) root.path_create_directory(path)
    write('tmp/f', 'f')
    write('tmp/g', 'g')
    write('tmp/d/h', 'h')
    assert.equal(root.rename('tmp/f', root, 'tmp/g'), 0)
    assert.equal(read('tmp/g'), 'f')
    assert.equal(root.rename('tmp/g', root, 'tmp/g'), 0)
    assert.equal(read('tmp/g'), 'f')
    assert.equal(root.rename('tmp/d', root, 'tmp/d/e/d'), wasi.ERRNO_INVAL)
    assert.equal(root.rename('tmp/g', root, 'tmp/d'), wasi.ERRNO_ISDIR)
    assert.equal(root.rename('tmp/d', root, 'tmp/g'), wasi.ERRNO_NOTDIR)
    assert.equal(root.rename('tmp/empty', root, 'tmp/d'), wasi.ERRNO_NOTEMPTY)
    assert.equal(root.rename('tmp/d', root, 'tmp/empty'), 0)
    assert.equal(root.rename('tmp/none', root, 'tmp/x'), wasi.ERRNO_NOENT)
    assert.equal(root.rename('tmp/g', root, 'in/g'), wasi.ERRNO_ROFS)
    assert.equal(read('tmp/empty/h'), 'h')
    assert.deepEqual(names('tmp'), ['.', '..', 'empty', 'g'])
  })
})

describe('the budget', () => {
  test('counts what is moved to /out and away from it', () => {
    const { root, write, budget } = world()
    root.path_create_directory('tmp/d')
    write('tmp/d/f', 'x'.repeat(1_000))
    assert.equal(budget.outputBytes, 0)
    root.rename('tmp/d', root, 'out/d')
    assert.equal(budget.outputBytes, 1_000)
    root.rename('out/d/f', root, 'tmp/f')
    assert.equal(budget.outputBytes, 0)
  })

  test('refuses what is moved to /out and does not fit', () => {
    const { root, write } = world()
    write('tmp/f', 'x'.repeat(mib + 1))
    assert.throws(() => root.rename('tmp/f', root, 'out/f'), /output-limit/)
  })

  test('counts the linear memory beside the files', () => {
    const { budget, open } = world()
    budget.linearBytes = () => 7 * mib
    open('tmp/f', create).fd_write(new Uint8Array(mib))
    assert.throws(() => open('tmp/g', create).fd_write(new Uint8Array(1)), /memory-limit/)
  })

  test('refuses sizes that no number holds', () => {
    const { open } = world()
    assert.throws(() => open('tmp/f', create).fd_filestat_set_size(2n ** 63n), /memory-limit/)
    assert.throws(() => open('out/f', create).fd_pwrite(new Uint8Array(1), 2n ** 62n), /output-limit/)
  })

  test('has an end to files and folders', () => {
    const { budget, root } = world()
    for (let count = 0; count < nodesMax; count++) budget.takeNode(1)
    assert.throws(() => root.path_create_directory('tmp/one-more'), /memory-limit/)
  })
})

test('/out is written with folders first and names in order, whatever the order in which they were made', () => {
  using scratch = new Scratch()
  const { root, write, out } = world()
  root.path_create_directory('out/b')
  write('out/b/z', 'one')
  write('out/b/a', 'two')
  write('out/c', '')
  write('out/a', 'three')
  const path = scratch.file('out.tar', '')
  const descriptor = openSync(path, 'w')
  const files = writeOutputs(out, descriptor, () => assert.fail())
  closeSync(descriptor)
  const events = new TarDecoder({ entriesMax: 10, bytesMax: 100 }).push(readFileSync(path))
  const paths = events.flatMap((event) => (event.is === 'entry' ? [event.entry.path] : []))
  assert.deepEqual([files, paths], [4, ['a', 'b', 'b/a', 'b/z', 'c']])
})

test('paged bytes are bytes, and are charged for as long as they are held', () => {
  const size = fc.integer({ min: 0, max: 300_000 })
  const action = fc.oneof(
    fc.record({ do: fc.constant('resize' as const), bytes: size }),
    fc.record({
      do: fc.constant('write' as const),
      at: size,
      bytes: fc.nat(100_000),
      fill: fc.integer({ min: 1, max: 255 }),
    }),
  )
  fc.assert(
    fc.property(fc.array(action, { maxLength: 12 }), size, fc.nat(100_000), (actions, at, count) => {
      let charged = 0
      const paged = new PagedBytes((bytes) => (charged += bytes))
      let model = new Uint8Array(0)
      const resize = (bytes: number): void => {
        const next = new Uint8Array(bytes)
        next.set(model.subarray(0, bytes))
        model = next
      }
      for (const it of actions) {
        if (it.do === 'resize') {
          paged.resize(it.bytes)
          resize(it.bytes)
        } else {
          paged.write(it.at, new Uint8Array(it.bytes).fill(it.fill))
          if (it.bytes > 0 && it.at + it.bytes > model.byteLength) resize(it.at + it.bytes)
          if (it.bytes > 0) model.fill(it.fill, it.at, it.at + it.bytes)
        }
      }
      assert.equal(paged.bytes, model.byteLength)
      assert.ok(Buffer.from(paged.read(at, count)).equals(model.subarray(at, at + count)))
      assert.ok(charged >= paged.bytes && charged <= paged.bytes + 65_536, `${charged} for ${paged.bytes}`)
    }),
    { numRuns: 150 },
  )
})
