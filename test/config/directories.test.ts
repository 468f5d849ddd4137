import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { liveContext, removeContext, writeContext } from '../../src/config/context.ts'
import { directoriesOf, makePrivateFolder, socketPath, socketPathBytesMax } from '../../src/config/directories.ts'
import { ConfigError } from '../../src/config/error.ts'
import { readPidFile, writePidFile } from '../../src/config/pid-file.ts'

const world = mkdtempSync(join(realpathSync(tmpdir()), 'pleach-dirs-'))
after(() => rmSync(world, { recursive: true, force: true }))

const modeOf = (path: string): number => statSync(path).mode & 0o777
const configError = (code: string, says: RegExp) => (error: unknown) =>
  error instanceof ConfigError && error.code === code && says.test(`${error.message}\n${error.why}\n${error.cure}`)

describe('where things are kept', () => {
  test('under HOME when nothing else is said', () => {
    const { configFile, data, socket, contextFile } = directoriesOf({ HOME: '/home/a' }, 'default')
    assert.equal(configFile, '/home/a/.config/pleach/config.yaml')
    assert.equal(data, '/home/a/.local/share/pleach')
    assert.equal(socket, '/home/a/.local/share/pleach/run/default.sock')
    assert.equal(contextFile, '/home/a/.local/share/pleach/run/context.json')
  })

  test('in the XDG folders when they are set, and then without a HOME', () => {
    const env = { XDG_CONFIG_HOME: '/c', XDG_DATA_HOME: '/d', XDG_RUNTIME_DIR: '/r' }
    const { configFile, data, socket } = directoriesOf(env, 'default')
    assert.deepEqual([configFile, data, socket], ['/c/pleach/config.yaml', '/d/pleach', '/r/pleach/default.sock'])
  })

  test('an empty or relative XDG folder counts as none, as the specification says', () => {
    const env = { HOME: '/home/a', XDG_DATA_HOME: '', XDG_CONFIG_HOME: 'here', XDG_RUNTIME_DIR: './run' }
    assert.deepEqual(directoriesOf(env, 'default'), directoriesOf({ HOME: '/home/a' }, 'default'))
  })

  test('a profile has its own data and socket, and shares the settings', () => {
    const env = { HOME: '/home/a', XDG_RUNTIME_DIR: '/r' }
    const [one, other] = [directoriesOf(env, 'default'), directoriesOf(env, 'work')]
    assert.equal(other.data, '/home/a/.local/share/pleach/profiles/work')
    assert.equal(other.socket, '/r/pleach/work.sock')
    assert.equal(other.configFile, one.configFile)
  })

  for (const [home, says] of [
    [undefined, /HOME is not set, and XDG_CONFIG_HOME is not set/],
    ['', /HOME is empty/],
    ['relative', /HOME is not an absolute path/],
  ] as const) {
    test(`HOME ${JSON.stringify(home)} is told`, () => {
      assert.throws(() => directoriesOf({ HOME: home }, 'default'), configError('NO_HOME', says))
    })
  }

  for (const profile of ['', '..', 'a/b', 'A', 'x'.repeat(33), '-f']) {
    test(`${JSON.stringify(profile)} is no profile`, () => {
      assert.throws(() => directoriesOf({ HOME: '/h' }, profile), configError('BAD_PROFILE', /small letters, digits/))
    })
  }
})

describe('the path of a socket', () => {
  test('stays when it fits to the byte', () => {
    const path = `/${'a'.repeat(socketPathBytesMax - 1)}`
    assert.equal(socketPath(path), path)
  })

  test('is a short one in a folder of this user, the same every time, when it does not', () => {
    const long = `/${'ä'.repeat(socketPathBytesMax / 2 + 1)}`
    const short = socketPath(long, '/tmp')
    assert.match(short, new RegExp(`^/tmp/pleach-${process.getuid?.()}/[0-9a-f]{16}\\.sock$`))
    assert.equal(socketPath(long, '/tmp'), short)
    assert.notEqual(socketPath(`${long}b`, '/tmp'), short)
  })

  test('is an error with a cure when even that is too long', () => {
    const temporary = `/${'t'.repeat(100)}`
    assert.throws(
      () => socketPath(`/${'a'.repeat(200)}`, temporary),
      configError('SOCKET_PATH_TOO_LONG', /TMPDIR=\/tmp/),
    )
  })
})

describe('a private folder', () => {
  test('is made with mode 0700, whatever the umask', () => {
    const path = join(world, 'new', 'deep')
    makePrivateFolder(path)
    assert.equal(modeOf(path), 0o700)
  })

  test('that others could enter is closed to them', () => {
    const path = join(world, 'open')
    mkdirSync(path)
    chmodSync(path, 0o755)
    makePrivateFolder(path)
    assert.equal(modeOf(path), 0o700)
  })

  test('is not one that somebody else put there: a link is not followed', () => {
    const path = join(world, 'link')
    symlinkSync(world, path)
    assert.throws(() => makePrivateFolder(path), configError('FOLDER_NOT_OURS', /not a folder of this user's/))
  })
})

describe('the pid file', () => {
  test('comes back as it was written, readable to this user alone', () => {
    const peer = { pid: 812, startedMs: 1_700_000_000_000, socket: '/r/x.sock' }
    writePidFile(world, peer)
    assert.deepEqual(readPidFile(world), peer)
    assert.equal(modeOf(join(world, 'peer.json')), 0o600)
  })

  for (const content of ['', 'null', '{}', '[]', '{"pid":"1","startedMs":1,"socket":"x"}', '{"pid":1,"star']) {
    test(`${JSON.stringify(content)} counts as none`, () => {
      writeFileSync(join(world, 'peer.json'), content)
      assert.equal(readPidFile(world), undefined)
    })
  }
})

describe('a context', () => {
  const path = join(world, 'run', 'context.json')
  const context = { name: 'devnet', pid: process.pid, peers: 5, socket: join(world, 'live.sock') }

  test('is found while somebody answers, and ignored when nobody does', async () => {
    const server = createServer((socket) => socket.end())
    await new Promise<void>((resolve) => {
      server.listen(context.socket, resolve)
    })
    writeContext(path, context)
    assert.deepEqual(await liveContext(path), context)
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
    // As after a kill -9: the file says so still, the socket is dead.
    writeFileSync(context.socket, '')
    assert.equal(await liveContext(path), undefined)
  })

  test('is removed only by the one that left it', async () => {
    writeContext(path, context)
    removeContext(path, process.pid + 1)
    assert.ok(statSync(path).isFile())
    removeContext(path, process.pid)
    assert.throws(() => statSync(path), { code: 'ENOENT' })
    assert.equal(await liveContext(path), undefined)
  })
})
