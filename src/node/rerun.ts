/** Whether a job of ours can be run again, and with what. */
import { ControlError, type JobView, type OfferWish } from '../control/api.ts'
import type { JobRequest, OwnErrands } from './errands.ts'
import { shortJob } from './job-book.ts'
import { inputsKeptMs, type OwnObjects } from './objects.ts'
import { isOver } from './views.ts'

export interface RerunOptions {
  /** Folder for its outputs; left out: the peer keeps them. That of the first run has its outputs. */
  readonly out?: string
}

/** How many inputs that are gone are named. */
const namedMax = 5

/** Throws a ControlError for work of others, for a job that is at work, and for what is not here any more. */
export async function rerunnable(
  { id, role, stage, code, asked }: JobView,
  { errands, objects }: { readonly errands: OwnErrands; readonly objects: OwnObjects },
): Promise<{ readonly request: JobRequest; readonly asked: OfferWish }> {
  const what = `job ${shortJob(id)} cannot be run again`
  const error = (fields: { code: string; why: string; cure: string }): ControlError =>
    new ControlError({ ...fields, what, exit: 2 })
  if (role !== 'requester' || asked === undefined)
    throw error({ code: 'NOT_OURS', why: 'it is work for another peer', cure: 'pleach jobs' })
  if (!isOver(stage) && code === '')
    throw error({ code: 'AT_WORK', why: `it is ${stage}`, cure: `pleach cancel ${shortJob(id)}` })
  const request = await errands.recall(id).catch(() => undefined)
  if (request === undefined)
    throw error({ code: 'INPUTS_GONE', why: 'what it was asked with is not here any more', cure: 'pleach run' })
  const gone: string[] = []
  for (const { object, guestPath, kind } of [request.module, ...request.inputs])
    if (object !== null && !(await objects.keepSealed(object, inputsKeptMs))) gone.push(guestPath || `its ${kind}`)
  if (gone.length === 0) return { request, asked }
  const more = gone.length > namedMax ? ` and ${gone.length - namedMax} more` : ''
  throw error({
    code: 'INPUTS_GONE',
    why: `inputs are kept for 2 hours, and not here any more are ${gone.slice(0, namedMax).join(', ')}${more}`,
    cure: 'pleach run',
  })
}
