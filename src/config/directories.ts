/**
 * Where a peer keeps its things, by the XDG base directory specification: settings in `$XDG_CONFIG_HOME/pleach`, the key and
 * the data in `$XDG_DATA_HOME/pleach`, the control socket in `$XDG_RUNTIME_DIR/pleach`. A profile other than `default` has
 * a folder of its own under `profiles/`, and so its own key, lock and socket.
 */
import { createHash } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

import { ConfigError, exits, type Env } from './error.ts'

export const defaultProfile = 'default'
/** Bytes of a unix socket's path: macOS has room for 104 with the zero at the end, Linux for 108. */
export const socketPathBytesMax = 103
const profilePattern = /^[a-z0-9][a-z0-9_-]{0,31}$/
const privateMode = 0o700
const othersMask = 0o077

export interface Directories {
  readonly profile: string
  readonly configFile: string
  /** Key, ledger, shards, lock. */
  readonly data: string
  readonly socket: string
  /** Names the peer that plain commands speak to, when it is not the default one. */
  readonly contextFile: string
}

/** Names only; nothing is made. Throws a ConfigError when there is no home, or `profile` cannot be a folder's name. */
export function directoriesOf(env: Env, profile: string, temporary: string = tmpdir()): Directories {
  if (!profilePattern.test(profile)) {
    throw new ConfigError({
      code: 'BAD_PROFILE',
      what: `${JSON.stringify(profile.slice(0, 40))} cannot be the name of a profile`,
      why: 'a profile is a folder: at most 32 small letters, digits, - and _',
      cure: '--profile work',
      exit: exits.usage,
    })
  }
  const config = join(base(env, 'XDG_CONFIG_HOME', '.config'), 'pleach')
  const data = join(base(env, 'XDG_DATA_HOME', '.local/share'), 'pleach')
  const given = absolute(env['XDG_RUNTIME_DIR'])
  const runtime = given === undefined ? join(data, 'run') : join(given, 'pleach')
  return {
    profile,
    configFile: join(config, 'config.yaml'),
    data: profile === defaultProfile ? data : join(data, 'profiles', profile),
    socket: socketPath(join(runtime, `${profile}.sock`), temporary),
    contextFile: join(runtime, 'context.json'),
  }
}

/** The path itself when a socket can have it; otherwise a short one, the same every time, in a folder of this user's. */
export function socketPath(wanted: string, temporary: string = tmpdir()): string {
  if (Buffer.byteLength(wanted) <= socketPathBytesMax) return wanted
  const name = createHash('sha256').update(wanted).digest('hex').slice(0, 16)
  const short = join(temporary, `pleach-${process.getuid?.() ?? 0}`, `${name}.sock`)
  if (Buffer.byteLength(short) <= socketPathBytesMax) return short
  throw new ConfigError({
    code: 'SOCKET_PATH_TOO_LONG',
    what: `no short enough path for the control socket: ${short}`,
    why: `a unix socket's path has at most ${socketPathBytesMax} bytes, and this one ${Buffer.byteLength(short)}`,
    cure: 'TMPDIR=/tmp pleach up',
    exit: exits.localResource,
  })
}

/**
 * Makes a folder that only this user can enter, or makes sure that it is one. Throws a ConfigError when it is somebody
 * else's: in a shared /tmp, anyone may have made it first.
 */
export function makePrivateFolder(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: privateMode })
  try {
    mkdirSync(path, { mode: privateMode })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const found = lstatSync(path)
  if (!found.isDirectory() || (process.getuid !== undefined && found.uid !== process.getuid())) {
    throw new ConfigError({
      code: 'FOLDER_NOT_OURS',
      what: `${path} is not a folder of this user's`,
      why: `it belongs to user ${found.uid}, who could answer in the place of the peer`,
      cure: 'set XDG_RUNTIME_DIR to a folder of your own',
      exit: exits.localResource,
    })
  }
  if ((found.mode & othersMask) !== 0) chmodSync(path, privateMode)
}

/** An empty or relative path in an XDG variable counts as none, says its specification. */
function base(env: Env, variable: string, underHome: string): string {
  const given = absolute(env[variable])
  if (given !== undefined) return given
  const home = absolute(env['HOME'])
  if (home !== undefined) return join(home, underHome)
  throw new ConfigError({
    code: 'NO_HOME',
    what: 'there is no folder to keep things in',
    why: `HOME is ${homeWord(env['HOME'])}, and ${variable} is not set`,
    cure: 'HOME=/path/of/a/folder pleach …',
    exit: exits.localResource,
  })
}

function homeWord(home: string | undefined): string {
  return home === undefined ? 'not set' : home === '' ? 'empty' : 'not an absolute path'
}

function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined
}
