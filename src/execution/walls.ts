/**
 * What stands around the child process: found by trying, once for each peer, so that what is advertised is what works here.
 *
 * With bubblewrap (bwrap(1)) the child has namespaces of its own: no network, no process of the machine, and a file system
 * that holds the node binary and its libraries, read-only, and nothing else. Without it there are WebAssembly, node's
 * permission model and the kernel's limits.
 */
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { promisify } from 'node:util'

export type Isolation = 'bubblewrap' | 'process'

export interface Walls {
  readonly isolation: Isolation
  /** Programs run as root, which limits on processes do not bind: the peer is root, and nobody else may read its node. */
  readonly isRoot: boolean
  /** One sentence for a person: what was found, and what would make it better. */
  readonly detail: string
  /** The command line by which the child's own, `node` and its arguments, is run behind these walls. */
  command(node: string, args: readonly string[]): readonly string[]
}

const run = promisify(execFile)
const tryMs = 5_000
/** `nobody`: whoever is nobody owns nothing. A peer that is root must not run strangers' programs as root. */
const nobody = 65_534
/** Processes and threads inside the namespaces; node has about 12. */
const processesMax = 16
export const niceness = 10
const shell = '/bin/sh'
const nodeInside = '/node'

const asNobody = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--no-new-privs', '--']
/** The owner's own work, and the peer's, come first. */
const nicely = ['nice', '-n', String(niceness)]
/**
 * Set inside, where only what is inside counts. `-u` in bash is `-p` in dash. Nothing can be redirected to /dev/null: there is none.
 */
const limited = [shell, '-c', `ulimit -u ${processesMax} 2>&- || ulimit -p ${processesMax} 2>&-; exec "$@"`, 'sh']
const unshared = [
  '--unshare-all',
  // Without it a program could make namespaces in which it is root: most of the kernel's holes need that.
  '--unshare-user',
  '--disable-userns',
  '--die-with-parent',
  // Or it could signal its supervisor's process group, which namespaces do not keep it from.
  '--new-session',
  '--cap-drop',
  'ALL',
  '--clearenv',
]

/** Tries them, the best first. Takes some 40 ms; where the best cannot be had, as long again for each. */
export async function findWalls(node: string): Promise<Walls> {
  const { why, command } = await bubblewrap(node)
  if (command === undefined) return bareWalls(node, why)
  let refused = ''
  for (const prefix of prefixes()) {
    const isRoot = runsAsRoot(prefix)
    const walls: Walls = {
      isolation: 'bubblewrap',
      isRoot,
      detail: `bubblewrap: programs see no network, no files and no processes of this machine${isRoot ? asRootBecause(node) : ''}`,
      command: (_path, args) => [...prefix, ...nicely, ...command, ...limited, nodeInside, ...args],
    }
    const failure = await failureOf(walls, node)
    if (failure === undefined) return walls
    refused = `WASM only: bubblewrap does not work here (${failure})`
  }
  return bareWalls(node, refused)
}

/** Those without namespaces. `detail`: why there are none. */
export async function bareWalls(node: string, detail = ''): Promise<Walls> {
  const all = prefixes().map((prefix): Walls => ({
    isolation: 'process',
    isRoot: runsAsRoot(prefix),
    detail,
    command: (path, args) => [...prefix, ...nicely, 'env', '-i', path, ...args],
  }))
  for (const walls of all.slice(0, -1)) if ((await failureOf(walls, node)) === undefined) return walls
  return all.at(-1)!
}

function runsAsRoot(prefix: readonly string[]): boolean {
  return process.getuid?.() === 0 && prefix !== asNobody
}

function asRootBecause(node: string): string {
  return `; they run as root, because user ${nobody} cannot run ${node}: install Node where everybody may read it, or run the peer as another user`
}

function prefixes(): (readonly string[])[] {
  return process.getuid?.() === 0 ? [asNobody, []] : [[]]
}

async function bubblewrap(node: string): Promise<{ why: string; command?: readonly string[] }> {
  if (process.platform !== 'linux') return { why: 'WASM only: bubblewrap is for Linux' }
  const path = await firstOnPath('bwrap')
  if (path === undefined)
    return { why: 'bubblewrap missing: WASM only.  apt install bubblewrap  puts a second wall around programs' }
  try {
    const files = [...(await librariesOf(node)), ...(await librariesOf(shell)), shell]
    const seen = [...new Set(files)].flatMap((file) => ['--ro-bind', file, file])
    return {
      why: '',
      // Its root is memory of ours: nothing can be written there either.
      command: [path, ...unshared, ...seen, '--ro-bind', node, nodeInside, '--remount-ro', '/', '--chdir', '/'],
    }
  } catch (error) {
    return { why: `WASM only: bubblewrap is here, but what node needs cannot be told (${messageOf(error)})` }
  }
}

/** As ldd(1) tells them; all are trusted programs of this machine. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program], { timeout: tryMs })
  return [...stdout.matchAll(/^\s*(?:\S+ => )?(\/\S+) \(/gm)].map(([, path = '']) => path)
}

/** Runs nothing behind the walls; undefined when that went well. */
async function failureOf(walls: Walls, node: string): Promise<string | undefined> {
  const [program = '', ...args] = walls.command(node, ['--permission', '-e', '0'])
  try {
    await run(program, args, { timeout: tryMs, env: { PATH: process.env['PATH'] ?? '' }, cwd: '/' })
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

async function firstOnPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    if (!folder.startsWith('/')) continue
    const path = `${folder}/${name}`
    if (
      await access(path, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  return undefined
}

function messageOf(error: unknown): string {
  const { stderr, message } = error as Error & { readonly stderr?: string }
  const said = stderr === undefined || stderr.trim() === '' ? message : stderr
  return (said.trim().split('\n')[0] ?? '').slice(0, 200)
}
