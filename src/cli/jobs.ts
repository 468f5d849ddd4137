/** `pleach jobs`: what was run, here and for others. */
import { exits } from '../config/error.ts'
import type { JobView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { healthText, named, shortJob, span } from './format.ts'
import { table } from './table.ts'

export const command = defineCommand({
  usage: 'jobs [flags]',
  about: ['The jobs that this peer asked for or worked on, newest first.'],
  flags: {},
  takes: [],
  async run(invocation) {
    const { terminal } = invocation
    const client = await connect(invocation)
    const jobs = await client.jobs()
    if (terminal.json) await terminal.printJson({ v: 1, jobs })
    else if (terminal.quiet) await terminal.print(...jobs.map(({ id }) => safe(id)))
    else if (jobs.length === 0) terminal.note('no jobs yet; pleach run MODULE runs one')
    else await terminal.print(...jobLines(jobs, Date.now()))
    return exits.ok
  },
})

function stageText({ stage, code, health, checked, requester }: JobView): string {
  if (code !== '' && stage !== 'paid') return `${stage} ${safe(code, 40)}`
  return [stage, ...(health == null ? [] : [healthText(health)]), ...checkText(checked, requester?.peer)].join(', ')
}

/** `compared with brisk-reed: the same`, while it is not known yet without a finding; nothing of what nobody could compare. */
function checkText(checked: JobView['checked'] = [], self: string | undefined): string[] {
  return checked.flatMap(({ by, same }) => {
    if (by === null) return []
    const found = same === null ? '' : same ? ': the same' : ': not the same'
    return [`compared with ${by.peer === self ? 'our own' : safe(by.petname, 40)}${found}`]
  })
}

function jobLines(jobs: readonly JobView[], nowMs: number): string[] {
  return table(
    ['JOB', 'NAME', 'ROLE', 'STAGE', 'WITH', '>EXIT', '>COST', '>AGE'],
    jobs.map((job) => {
      const other = job.role === 'requester' ? job.provider : job.requester
      return [
        shortJob(job.id),
        safe(job.name, 40),
        job.role,
        stageText(job),
        other === null ? '-' : named(other),
        job.exitCode === null ? '-' : String(job.exitCode),
        safe(job.cost, 20),
        span(nowMs - job.createdMs),
      ]
    }),
  )
}
