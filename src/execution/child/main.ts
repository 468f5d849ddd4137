/**
 * The child process: is told its task, runs the program in a file system that exists only in its memory, writes what became
 * of it, and ends. Everything is synchronous: a program runs until it ends, and nothing else happens meanwhile.
 *
 * When the program ends, so does the process, in the middle of the call that ended it. An exception thrown through the
 * program's frames would not do: WebAssembly may catch it (`catch_all`) and go on.
 */
import { fstatSync, readSync, writeSync } from 'node:fs'

import type { Fd } from '@bjorn3/browser_wasi_shim'

import type { ChildRecord, ChildTask } from '../child-protocol.ts'
import type { ExecutionReason } from '../executor.ts'
import type { PreparedModule } from '../wasm/prepare.ts'
import { TarError } from '../tar-format.ts'
import { Budget } from './budget.ts'
import {
  moduleDescriptor,
  outputsDescriptor,
  recordDescriptor,
  stderrDescriptor,
  stdoutDescriptor,
} from './descriptors.ts'
import { Gas, gasLine } from './gas.ts'
import { Imports } from './imports.ts'
import { buildTree, type Tree } from './inputs.ts'
import { compile, link, prepare, refuseUnknownImports } from './instance.ts'
import { LentFile, HeldFile, type Folder } from './nodes.ts'
import { OpenFile, OutputStream } from './open-file.ts'
import { OpenFolder } from './open-folder.ts'
import { writeOutputs } from './outputs.ts'
import { wasm } from './web-assembly.ts'
import { machineWorld, seededWorld } from './world.ts'

/** As in ../child-protocol.ts, which the child cannot load: it has no right to read the library that checks records. */
const detailCharsMax = 1_024
const usPerMs = 1_000

let budget: Budget
let gas: Gas
let out: Folder | undefined

export function main(task: ChildTask): never {
  budget = new Budget(task, end)
  gas = new Gas(task.gas, end, (used) => void writeSync(recordDescriptor, gasLine(used), 0))
  try {
    return run(task)
  } catch (error) {
    return end('executor-failed', error instanceof Error ? (error.stack ?? error.message) : String(error))
  }
}

function run(task: ChildTask): never {
  const canonicalNaNs = task.seed !== null
  const prepared = prepare(readModule(), { memoryBytesMax: task.memoryBytes, canonicalNaNs }, end)
  const module = compile(prepared.bytes, end)
  const tree = inputTree(task.inputs)
  out = tree.out
  const stdin = task.stdin === null ? new HeldFile(budget) : new LentFile(task.stdin, 0, fstatSync(task.stdin).size)
  const descriptors: (Fd | undefined)[] = [
    new OpenFile(stdin, 0, false),
    new OutputStream(stdoutDescriptor, budget),
    new OutputStream(stderrDescriptor, budget),
    new OpenFolder(tree.root, budget, '/'),
  ]
  const world = task.seed === null ? machineWorld : seededWorld(task.seed, () => gas.used)
  const takeGas = (amount: number): void => gas.take(amount)
  const imports = new Imports({ args: task.args, env: task.env, descriptors, end, exit, world, takeGas })
  refuseUnknownImports(module, imports, end)
  try {
    const program = link(module, { imports, names: prepared.names, gas, end })
    budget.linearBytes = () => program.memory.buffer.byteLength
    program.run()
    gas.endIfOver()
  } catch (error) {
    return onTrap(error, prepared)
  }
  // Returning from _start is an exit with code 0.
  return exit(0)
}

function readModule(): Uint8Array {
  const bytes = new Uint8Array(fstatSync(moduleDescriptor).size)
  for (let at = 0; at < bytes.byteLength;) {
    const read = readSync(moduleDescriptor, bytes, at, bytes.byteLength - at, at)
    if (read === 0) end('executor-failed', 'the module became shorter while it was read')
    at += read
  }
  return bytes
}

function inputTree(inputs: ChildTask['inputs']): Tree {
  try {
    return buildTree(inputs, budget)
  } catch (error) {
    if (error instanceof TarError) return end('module-invalid', error.message)
    throw error
  }
}

/**
 * WebAssembly does not say that memory.grow was refused: the program gets -1, and most abort. So a program that aborts
 * while it holds at least half of what it may is said to have met the limit (one that doubles a buffer stops at half).
 */
function onTrap(error: unknown, { memoryBytesMin, memoryBytesMax }: PreparedModule): never {
  gas.endIfOver()
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof wasm.LinkError) return end('module-invalid', message)
  if (error instanceof RangeError && message.includes('WebAssembly.Instance')) return end('memory-limit', message)
  if (error instanceof RangeError) return end('trapped', 'the call stack is exhausted')
  const linearBytes = budget.linearBytes()
  const aborted = error instanceof wasm.RuntimeError && message === 'unreachable'
  if (aborted && linearBytes >= memoryBytesMax / 2 && linearBytes > memoryBytesMin) {
    return end(
      'memory-limit',
      `the program aborted with ${linearBytes} of the ${memoryBytesMax} bytes of memory it may have`,
    )
  }
  if (error instanceof wasm.RuntimeError) return end('trapped', message)
  if (error instanceof wasm.Exception) return end('trapped', 'an exception of the program was caught by nobody')
  return end('executor-failed', message)
}

function exit(code: number): never {
  const outputFiles = out === undefined ? null : writeOutputs(out, outputsDescriptor, end)
  return leave({ reason: 'exited', exitCode: code, detail: '', outputFiles })
}

function end(reason: ExecutionReason, detail: string): never {
  return leave({ reason, exitCode: null, detail: detail.slice(0, detailCharsMax), outputFiles: null })
}

function leave(ending: Pick<ChildRecord, 'reason' | 'exitCode' | 'detail' | 'outputFiles'>): never {
  const { user, system } = process.cpuUsage()
  const record: ChildRecord = {
    ...ending,
    cpuMs: Math.ceil((user + system) / usPerMs),
    memoryBytesPeak: budget.linearBytes() + budget.fileBytesPeak,
    outputBytes: budget.outputBytes,
  }
  // Over the line of gas that is there. A file takes all that it is given, or there is no room for a record.
  writeSync(recordDescriptor, `${gasLine(gas.used)}${JSON.stringify(record)}\n`, 0)
  // Not process.exit: tearing the engine down in the middle of a program can wait for its compiler for ever.
  for (;;) process.kill(process.pid, 'SIGKILL')
}
