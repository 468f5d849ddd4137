/** Makes in the engine what one run needs: two volumes, the guard, which runs then, and the program, which does not yet. */
import type { ContainerTask, ExecutionLimits, ExecutionTask } from '../executor.ts'
import { Container } from './container.ts'
import { guardBody, inputsVolume, networkOf, outputsVolume, programBody, type TaskVolumes } from './create-body.ts'
import type { Engine } from './engine.ts'
import { guardTimes } from './guard.ts'
import type { ReadyImage } from './images.ts'
import type { EngineKind } from './socket.ts'
import { inputsTar } from './task-folders.ts'

/** What is made in the engine for one run. */
export interface Made {
  readonly guard: Container
  readonly program: Container
}

export interface Wanted {
  readonly engine: Engine
  readonly kind: EngineKind
  readonly owner: string
  readonly guardReference: string
  /** Of all that is made; its parts are added. */
  readonly name: string
  readonly volumes: TaskVolumes
  readonly task: ExecutionTask
  readonly asked: ContainerTask
  readonly limits: ExecutionLimits
  /** Of its wall time. */
  readonly leftMs: number
  readonly image: ReadyImage
  /** Told when the guard runs: whoever ends it ends the run. */
  onGuard(guard: Container): void
}

export async function prepare(wanted: Wanted, signal: AbortSignal): Promise<Made> {
  const { engine, owner, name, volumes, task, asked, limits, image, guardReference, kind, leftMs } = wanted
  const labels = { owner, task: asked.id }
  const isService = asked.service !== null
  for (const body of [inputsVolume(volumes.inputs, labels), outputsVolume(volumes.outputs, limits.outputBytes, labels)])
    await engine.ask('POST', '/volumes/create', { body, signal })
  const times = guardTimes(task.keep?.aloneMs, leftMs)
  const guard = await Container.create(
    engine,
    `${name}-guard`,
    guardBody(guardReference, volumes, networkOf(isService && asked.egress), times, kind, labels),
    signal,
  )
  await guard.start(signal)
  wanted.onGuard(guard)
  if (task.inputs.length > 0) await guard.put('/in', inputsTar(task.inputs, signal), signal, limits.wallMs)
  const body = programBody({
    task: asked,
    args: task.args,
    env: task.env,
    hasStdin: task.stdinPath !== undefined,
    limits,
    reference: image.reference,
    imageVolumes: image.volumes,
    volumes,
    guard: guard.id,
    isService,
    isKept: task.keep !== undefined,
    kind,
    labels,
  })
  return { guard, program: await Container.create(engine, `${name}-program`, body, signal) }
}
