// Tar, both ways: against modern-tar and the system's tar where there is one, and against archives that mean harm.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import fc from 'fast-check'
import { packTar, unpackTar as unpackModern, type TarEntry as ModernEntry } from 'modern-tar'

import { TarDecoder, type TarEvent } from '../../src/execution/tar-decoder.ts'
import { encodeEntry, paddingBytes, tarBytesMax, tarEnd, TarError } from '../../src/execution/tar-format.ts'
import { unpackTar } from '../../src/execution/tar-read.ts'
import { packFolder } from '../../src/execution/tar-write.ts'
import { Scratch } from '../fixtures/executions.ts'

const limits = { entriesMax: 1_000, bytesMax: 1_024 * 1_024 }

function decode(archive: Uint8Array, pieceBytes = archive.byteLength): Map<string, string> {
  const decoder = new TarDecoder(limits)
  const found = new Map<string, string>()
  let path = ''
  const take = (event: TarEvent): void => {
    if (event.is === 'entry') {
      path = event.entry.kind === 'folder' ? `${event.entry.path}/` : event.entry.path
      found.set(path, '')
    } else found.set(path, found.get(path)! + Buffer.from(event.bytes).toString('latin1'))
  }
  for (let at = 0; at < archive.byteLength; at += pieceBytes)
    decoder.push(archive.subarray(at, at + pieceBytes)).forEach(take)
  decoder.end()
  return found
}

function encode(files: Iterable<readonly [path: string, content: string]>): Uint8Array {
  const parts: Uint8Array[] = []
  for (const [path, content] of files) {
    parts.push(
      encodeEntry({ kind: 'file', path, bytes: content.length }),
      Buffer.from(content, 'latin1'),
      new Uint8Array(paddingBytes(content.length)),
    )
  }
  return new Uint8Array(Buffer.concat([...parts, tarEnd]))
}

/** An archive with one entry as modern-tar writes it, unchecked. */
const modern = async (...entries: ModernEntry[]): Promise<Uint8Array> => packTar(entries)
const file = (name: string, body = 'x'): ModernEntry => ({ header: { name, size: body.length }, body })

describe('what we write', () => {
  const isTaken = (character: string): boolean => character > '\x1f' && !'/\\\x7f'.includes(character)
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
    .filter((it) => it.split('').every(isTaken) && it.isWellFormed() && it !== '.' && it !== '..')
  const path = fc.array(name, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'))
  const content = fc.uint8Array({ maxLength: 1_500 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
  const ofBytes = (it: string): boolean =>
    Buffer.byteLength(it) < 900 && it.split('/').every((part) => Buffer.byteLength(part) <= 255)

  test('we read again, in pieces of any size', () => {
    fc.assert(
      fc.property(path.filter(ofBytes), content, fc.integer({ min: 1, max: 2_000 }), (at, held, pieceBytes) => {
        assert.deepEqual([...decode(encode([[at, held]]), pieceBytes)], [[at, held]])
      }),
      { numRuns: 300 },
    )
  })

  test('modern-tar reads', async () => {
    const long = `${'long/'.repeat(30)}name`
    const archive = encode([
      ['plain', 'one'],
      ['naïve/日本', 'two'],
      [long, 'three'],
    ])
    const read = await unpackModern(archive, { strict: true })
    const found = read.map(({ header, data }) => [
      header.name,
      Buffer.from(data ?? []).toString(),
      header.mtime?.getTime(),
      header.uid,
      header.gid,
      header.mode,
    ])
    assert.deepEqual(found, [
      ['plain', 'one', 0, 0, 0, 0o644],
      ['naïve/日本', 'two', 0, 0, 0, 0o644],
      [long, 'three', 0, 0, 0, 0o644],
    ])
  })

  test('stays within what tarBytesMax says', () => {
    const long = 'n'.repeat(200)
    const files = [1, 2, 3, 4, 5].map((digit) => [`${long}/${long}/${long}/${long}/${digit}`, 'x'] as const)
    assert.ok(encode(files).byteLength <= tarBytesMax(5, 5))
  })
})

describe('what others write, we read', () => {
  test('modern-tar', async () => {
    const long = `${'long/'.repeat(30)}name`
    const archive = await modern(
      file('plain', 'one'),
      { header: { name: 'folder/', type: 'directory', size: 0 } },
      file('naïve', 'two'),
      file(long, 'three'),
    )
    assert.deepEqual(
      [...decode(archive)],
      [
        ['plain', 'one'],
        ['folder/', ''],
        ['naïve', 'two'],
        [long, 'three'],
      ],
    )
  })

  const formats = ['gnu', 'pax', 'ustar', 'v7']
  for (const format of formats) {
    test(`tar --format=${format}`, (t) => {
      using scratch = new Scratch()
      mkdirSync(join(scratch.path, 'set/sub'), { recursive: true })
      scratch.file('set/a', 'first')
      scratch.file('set/sub/b', 'second')
      const long = format === 'gnu' || format === 'pax' ? 'n'.repeat(150) : 'n'.repeat(80)
      scratch.file(`set/sub/${long}`, 'third')
      const { error } = spawnSync('tar', [
        `--format=${format}`,
        '-cf',
        join(scratch.path, 'x.tar'),
        '-C',
        join(scratch.path, 'set'),
        '.',
      ])
      if (error !== undefined) return t.skip('there is no tar on this machine')
      const found = decode(readFileSync(join(scratch.path, 'x.tar')))
      assert.deepEqual(
        found,
        new Map([
          ['a', 'first'],
          ['sub/', ''],
          ['sub/b', 'second'],
          [`sub/${long}`, 'third'],
        ]),
      )
    })
  }
})

describe('an archive is refused', () => {
  const link = (type: 'symlink' | 'link'): ModernEntry => ({
    header: { name: 'l', type, linkname: '/etc/passwd', size: 0 },
  })
  const refused: [what: string, archive: () => Promise<Uint8Array> | Uint8Array, pattern: RegExp][] = [
    ['with an absolute path', async () => modern(file('/etc/passwd')), /absolute/],
    ['with a path that climbs', async () => modern(file('a/../../b')), /leaves its folder/],
    ['with a symbolic link', async () => modern(link('symlink')), /a link/],
    ['with a hard link', async () => modern(link('link')), /a link/],
    ['with a device', async () => modern({ header: { name: 'd', type: 'character-device', size: 0 } }), /of type/],
    ['with a path that is too long', async () => modern(file(`${'d/'.repeat(600)}f`)), /more than 1024 bytes/],
    ['with a name that is too long', async () => modern(file('n'.repeat(256))), /more than 255 bytes/],
    ['with a control character', async () => modern(file('a\nb')), /character/],
    ['with a backslash', async () => modern(file('a\\b')), /character/],
    ['with a file twice', async () => modern(file('a'), file('a')), /twice/],
    ['with a file under a file', async () => modern(file('a'), file('a/b')), /a file and a folder/],
    ['with a folder in the place of a file', async () => modern(file('a/b'), file('a')), /twice/],
    ['with too much content', () => encode([['a', 'x'.repeat(limits.bytesMax + 1)]]), /more than 1048576 bytes/],
    [
      'with too many files',
      () => encode(Array.from({ length: limits.entriesMax + 1 }, (_, index) => [`f${index}`, ''] as const)),
      /more than 1000 files/,
    ],
    [
      'with more folders than it says',
      () => encode(Array.from({ length: 400 }, (_, index) => [`a${index}/b/c/f`, ''] as const)),
      /more than 1000 files/,
    ],
    ['that is cut off', () => encode([['a', 'x'.repeat(5_000)]]).subarray(0, 2_000), /cut off/],
    ['that is empty', () => new Uint8Array(0), /cut off/],
    ['that is no tar', () => new Uint8Array(1_024).fill(0x41), /checksum/],
    [
      'with a bit flipped in its header',
      () => encode([['a', 'x']]).map((byte, at) => (at === 3 ? byte ^ 1 : byte)),
      /checksum/,
    ],
  ]
  for (const [what, archive, pattern] of refused) {
    test(what, async () => {
      const bytes = await archive()
      assert.throws(
        () => decode(bytes),
        (error) => error instanceof TarError && pattern.test(error.message),
      )
    })
  }

  test('or read, whatever its bytes, and nothing else is thrown', () => {
    const original = encode([
      ['a/b', 'one'],
      [`${'long/'.repeat(30)}name`, 'two'],
      ['c', ''],
    ])
    const edits = fc.array(fc.record({ at: fc.nat(original.byteLength - 1), byte: fc.nat(255), fix: fc.boolean() }), {
      minLength: 1,
      maxLength: 6,
    })
    fc.assert(
      fc.property(edits, (all) => {
        const bytes = original.slice()
        for (const { at, byte, fix } of all) {
          bytes[at] = byte
          if (fix) repairChecksum(bytes, Math.floor(at / 512) * 512)
        }
        try {
          for (const path of decode(bytes).keys()) assert.doesNotMatch(path, /^\/|(^|\/)\.\.(\/|$)/)
        } catch (error) {
          if (!(error instanceof TarError)) throw error
        }
      }),
      { numRuns: 2_000 },
    )
  })
})

/** Makes a damaged header one that claims to be whole. */
function repairChecksum(archive: Uint8Array, at: number): void {
  const header = archive.subarray(at, at + 512)
  header.fill(0x20, 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.set(Buffer.from(`${sum.toString(8).padStart(6, '0')}\0 `), 148)
}

describe('a folder of this machine', () => {
  test('comes back as it was, and gives the same bytes again', async () => {
    using scratch = new Scratch()
    const folder = join(scratch.path, 'set')
    mkdirSync(join(folder, 'sub/empty'), { recursive: true })
    writeFileSync(join(folder, 'b'), 'x'.repeat(2_000_000))
    writeFileSync(join(folder, 'sub/日本'), 'second')
    writeFileSync(join(folder, 'none'), '')
    const wide = { entriesMax: 10, bytesMax: 10_000_000 }
    assert.deepEqual(await packFolder(folder, join(scratch.path, 'one.tar'), wide), { files: 3, bytes: 2_000_006 })
    assert.deepEqual(await unpackTar(join(scratch.path, 'one.tar'), join(scratch.path, 'again'), wide), {
      files: 3,
      bytes: 2_000_006,
    })
    assert.deepEqual(
      new Set(readdirSync(join(scratch.path, 'again'), { recursive: true, encoding: 'utf8' })),
      new Set(['b', 'none', 'sub', 'sub/empty', 'sub/日本']),
    )
    assert.equal(readFileSync(join(scratch.path, 'again/sub/日本'), 'utf8'), 'second')
    assert.equal(statSync(join(scratch.path, 'again/b')).size, 2_000_000)
    await packFolder(join(scratch.path, 'again'), join(scratch.path, 'two.tar'), wide)
    const paths = new TarDecoder(wide).push(readFileSync(join(scratch.path, 'one.tar')))
    assert.deepEqual(
      paths.flatMap((event) => (event.is === 'entry' ? [event.entry.path] : [])),
      ['b', 'none', 'sub', 'sub/empty', 'sub/日本'],
    )
    assert.ok(readFileSync(join(scratch.path, 'one.tar')).equals(readFileSync(join(scratch.path, 'two.tar'))))
  })

  test('with a link is not packed, and leaves no archive', async () => {
    using scratch = new Scratch()
    mkdirSync(join(scratch.path, 'set'))
    symlinkSync('/etc/passwd', join(scratch.path, 'set/l'))
    await assert.rejects(
      packFolder(join(scratch.path, 'set'), join(scratch.path, 'x.tar'), limits),
      /neither a file nor a folder/,
    )
    assert.deepEqual(readdirSync(scratch.path), ['set'])
  })

  test('is not packed beyond the limits', async () => {
    using scratch = new Scratch()
    mkdirSync(join(scratch.path, 'set'))
    scratch.file('set/a', 'xx')
    scratch.file('set/b', 'xx')
    const pack = async (entriesMax: number, bytesMax: number) =>
      packFolder(join(scratch.path, 'set'), join(scratch.path, 'x.tar'), { entriesMax, bytesMax })
    await assert.rejects(pack(1, 100), TarError)
    await assert.rejects(pack(2, 3), TarError)
    await pack(2, 4)
  })

  test('is neither overwritten nor followed when an archive is unpacked', async () => {
    using scratch = new Scratch()
    const tar = scratch.file('x.tar', encode([['d/f', 'new']]))
    mkdirSync(join(scratch.path, 'elsewhere'))
    mkdirSync(join(scratch.path, 'linked'))
    symlinkSync(join(scratch.path, 'elsewhere'), join(scratch.path, 'linked/d'))
    await assert.rejects(unpackTar(tar, join(scratch.path, 'linked'), limits), /no folder/)
    assert.deepEqual(readdirSync(join(scratch.path, 'elsewhere')), [])

    mkdirSync(join(scratch.path, 'full/d'), { recursive: true })
    scratch.file('full/d/f', 'old')
    await assert.rejects(unpackTar(tar, join(scratch.path, 'full'), limits), /there already/)
    assert.equal(readFileSync(join(scratch.path, 'full/d/f'), 'utf8'), 'old')
  })
})
