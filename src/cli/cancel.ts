/** `pleach cancel JOB`. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { shortJob } from './format.ts'

export const command = defineCommand({
  usage: 'cancel [flags] JOB',
  about: [
    'Stops a job. What was worked until now is owed. JOB is an id or any part of it that only one job begins with.',
  ],
  flags: {},
  takes: ['JOB'],
  async run(invocation) {
    const { terminal, positionals } = invocation
    const client = await connect(invocation)
    const job = await client.cancel(positionals[0]!)
    if (terminal.json) await terminal.printJson(job)
    else if (terminal.quiet) await terminal.print(safe(job.id))
    else {
      const now = job.code === '' ? 'asked to stop' : `${job.stage} ${safe(job.code, 40)}`
      await terminal.print(`job ${shortJob(job.id)} ${safe(job.name, 40)}: ${now}`)
    }
    return exits.ok
  },
})
