/** Opens what a task reads, before its child exists: the child is given descriptors, and so needs no right to open anything. */
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { basename } from 'node:path'

import { taskBytesMax, type ChildTask } from './child-protocol.ts'
import { moduleDescriptor } from './child/descriptors.ts'
import type { ExecutionLimits, ExecutionTask } from './executor.ts'
import { safeParts, TarError } from './tar-format.ts'

/** The module itself; the engine keeps a copy of it beside the compiled code. */
export const moduleBytesMax = 256 * 1_024 * 1_024
export const inputsMax = 256
const envNameCharsMax = 256

/** The task cannot be run as it is written: the fault of who wrote it. */
export class TaskInvalidError extends Error {
  override readonly name = 'TaskInvalidError'
}

export class TaskFiles implements AsyncDisposable {
  readonly #handles: readonly FileHandle[]
  readonly child: ChildTask

  private constructor(handles: readonly FileHandle[], child: ChildTask) {
    this.#handles = handles
    this.child = child
  }

  /** In the order of the child's numbers from {@link moduleDescriptor} on. */
  get descriptors(): number[] {
    return this.#handles.map((handle) => handle.fd)
  }

  /** Rejects with TaskInvalidError, or as the file system does. */
  static async open(task: ExecutionTask, limits: ExecutionLimits): Promise<TaskFiles> {
    const env = Object.entries(task.env).map(([name, value]) => `${checkedName(name)}=${value}`)
    const args = [task.name ?? basename(task.modulePath), ...task.args]
    if ([...args, ...env].some((text) => text.includes('\0')))
      throw new TaskInvalidError('an argument or variable holds a zero byte')
    if (task.inputs.length > inputsMax) throw new TaskInvalidError(`there are more than ${inputsMax} inputs`)
    for (const { guestPath } of task.inputs) checkGuestPath(guestPath)

    const paths = [
      task.modulePath,
      ...(task.stdinPath === undefined ? [] : [task.stdinPath]),
      ...task.inputs.map((it) => it.hostPath),
    ]
    const firstInput = moduleDescriptor + paths.length - task.inputs.length
    const child: ChildTask = {
      args,
      env,
      memoryBytes: limits.memoryBytes,
      outputBytes: limits.outputBytes,
      gas: limits.gas,
      seed: task.seed ?? null,
      logBytes: limits.logBytes,
      stdin: task.stdinPath === undefined ? null : moduleDescriptor + 1,
      inputs: task.inputs.map(({ kind, guestPath }, index) => ({ kind, guestPath, descriptor: firstInput + index })),
    }
    if (Buffer.byteLength(JSON.stringify(child)) > taskBytesMax) {
      throw new TaskInvalidError(`arguments, environment and names have more than ${taskBytesMax} bytes`)
    }
    return new TaskFiles(await openAll(paths), child)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#handles.map((handle) => handle.close()))
  }
}

async function openAll(paths: readonly string[]): Promise<FileHandle[]> {
  const handles: FileHandle[] = []
  try {
    for (const [index, path] of paths.entries()) {
      // Non-blocking, for a pipe in the place of a file would make us wait for its writer.
      const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
      handles.push(handle)
      const stat = await handle.stat()
      if (!stat.isFile()) throw new Error(`${path} is not a file`)
      if (index === 0 && stat.size > moduleBytesMax)
        throw new TaskInvalidError(`the program has more than ${moduleBytesMax} bytes`)
    }
    return handles
  } catch (error) {
    await Promise.all(handles.map((handle) => handle.close()))
    throw error
  }
}

function checkedName(name: string): string {
  if (name === '' || name.includes('=') || name.length > envNameCharsMax) {
    throw new TaskInvalidError(`${JSON.stringify(name.slice(0, envNameCharsMax))} cannot be the name of a variable`)
  }
  return name
}

function checkGuestPath(guestPath: string): void {
  const shown = JSON.stringify(guestPath.slice(0, 80))
  if (!guestPath.startsWith('/')) throw new TaskInvalidError(`the input ${shown} is not absolute`)
  try {
    const [first] = safeParts(guestPath.slice(1))
    if (first === undefined || first === 'out' || first === 'tmp') {
      throw new TaskInvalidError(`the input ${shown} would be in the way of /out or /tmp`)
    }
  } catch (error) {
    throw error instanceof TarError ? new TaskInvalidError(`the input ${shown}: ${error.message}`) : error
  }
}
