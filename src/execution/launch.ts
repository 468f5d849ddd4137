/** Starts the child process of one task under its supervisor: its rights, its limits, its open files. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, open, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

import { bootstrap, readChildCode, type ChildInput } from './child-code.ts'
import { recordBytesMax, type ChildTask } from './child-protocol.ts'
import { nodesMax } from './child/budget.ts'
import type { ExecutionLimits } from './executor.ts'
import { claimRun, processNamed, runFiles, supervisorScript, type ProcessName } from './supervisor.ts'
import { tarBytesMax } from './tar-format.ts'
import type { Walls } from './walls.ts'

/** Of the child's JavaScript: names of files, tables of functions, objects of garbage-collected programs. Not linear memory. */
export const heapMiBMax = 128
/**
 * The runtime's own memory: node, its heap, and the compiled code, which grows with the module. A process over this and the
 * task's own limit holds memory that none of the finer limits saw.
 */
export const runtimeBytesMax = 1_024 * 1_024 * 1_024
/** Functions in one table of the program; LLVM makes tables of thousands. */
const tableEntriesMax = 1_000_000
const pageBytes = 65_536
/** CPU time beyond which the kernel itself ends the child, whatever became of the peer and of the supervisor. */
const cpuSlackSeconds = 10
/** The supervisor counts whole seconds, and leaves the exact limit to the peer as long as that is there. */
const wallSlackSeconds = 1
const blockBytes = 512
const bytesPerKib = 1_024

/** No right at all: no files, no processes, no threads, no addons, no inspector, no `eval`. What it needs comes over pipes. */
const nodeFlags = [
  '--permission',
  '--disallow-code-generation-from-strings',
  '--disable-sigusr1',
  // A warning would stand in the program's stderr.
  '--no-warnings',
  `--max-old-space-size=${heapMiBMax}`,
  `--wasm-max-table-size=${tableEntriesMax}`,
]

/** What runs in the child. Tests put something else in its place, to see what holds a program that got out of WebAssembly. */
export interface ChildProgram {
  readonly flags: readonly string[]
  readonly code: string
}

let ownProgram: Promise<ChildProgram> | undefined

export async function wasiProgram(): Promise<ChildProgram> {
  return (ownProgram ??= readChildCode().then((code) => ({ flags: nodeFlags, code })))
}

/** A run, as long as its supervisor lives. */
export interface Running {
  readonly supervisor: ProcessName
  /** Resolves when the supervisor is gone, and with it its group. */
  readonly ended: Promise<void>
}

export interface Launch {
  readonly program: ChildProgram
  readonly walls: Walls
  readonly task: ChildTask
  readonly limits: ExecutionLimits
  /** Must not exist. */
  readonly folder: string
  readonly outputsTarPath: string
  /** How long it may be without its peer. */
  readonly aloneMs: number
  /** These become the child's 6, 7, 8, …; the caller closes its own copies. */
  readonly descriptors: readonly number[]
}

/** Rejects as the file system does, and when no process can be started. */
export async function launch(order: Launch): Promise<Running> {
  const { program, walls, task, limits, folder, outputsTarPath, aloneMs, descriptors } = order
  const input: ChildInput<ChildTask> = { code: program.code, task }
  await mkdir(folder, { mode: 0o700 })
  await using files = new AsyncDisposableStack()
  const created = async (path: string, flags: 'ax' | 'wx'): Promise<number> => {
    const file = files.use(await open(path, flags, 0o600))
    return file.fd
  }
  let isOutputsOurs = false
  try {
    // A log is appended to, whoever else may hold it.
    const stdout = await created(join(folder, runFiles.stdout), 'ax')
    const stderr = await created(join(folder, runFiles.stderr), 'ax')
    const record = await created(join(folder, runFiles.record), 'wx')
    const outputs = await created(outputsTarPath, 'wx')
    isOutputsOurs = true
    claimRun(folder)
    const seconds = (ms: number): number => Math.ceil(ms / 1_000)
    const cpuSeconds = seconds(limits.wallMs) * availableParallelism() + cpuSlackSeconds
    const fileBytes = Math.max(limits.logBytes, tarBytesMax(limits.outputBytes, nodesMax), recordBytesMax)
    const numbers = [
      cpuSeconds,
      Math.ceil(fileBytes / blockBytes),
      Math.ceil((limits.memoryBytes + runtimeBytesMax) / bytesPerKib),
      seconds(limits.wallMs) + wallSlackSeconds,
      Math.max(1, seconds(aloneMs)),
    ]
    // A second belt, held by the engine, around what is written into the module.
    const pages = `--wasm-max-mem-pages=${Math.min(pageBytes, Math.ceil(limits.memoryBytes / pageBytes))}`
    const command = walls.command(process.execPath, [...program.flags, pages, '-e', bootstrap])
    const child = spawn('/bin/sh', ['-c', supervisorScript, 'sh', ...numbers.map(String), ...command], {
      // A session and process group of its own: the peer's terminal does not reach it, and it can be killed as a whole.
      detached: true,
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['pipe', stdout, stderr, record, outputs, 'ignore', ...descriptors],
    })
    return await followed(child, JSON.stringify(input))
  } catch (error) {
    if (isOutputsOurs) await rm(outputsTarPath, { force: true })
    throw error
  }
}

async function followed(child: ChildProcess, input: string): Promise<Running> {
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
  })
  if (child.pid === undefined) {
    const [error] = (await once(child, 'error')) as [Error]
    throw new Error(`the child could not be started: ${error.message}`)
  }
  const supervisor = processNamed(child.pid) ?? { pid: child.pid, start: '' }
  // A child that ends early closes its pipe under our hands; that it ended is all that matters.
  child.stdin?.on('error', () => {})
  child.stdin?.end(input)
  return { supervisor, ended }
}
