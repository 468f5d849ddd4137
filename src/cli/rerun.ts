/** `pleach rerun JOB`. */
import { resolve } from 'node:path'

import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { follow } from './follow.ts'
import { Timeline } from './timeline.ts'

export const command = defineCommand({
  usage: 'rerun [flags] JOB',
  about: [
    'Runs a job that is over again: the same program, arguments, inputs and limits, for whoever matches now. It is another job, with an',
    'id and receipts of its own; a service has to be forwarded again. What is at work is stopped by pleach cancel first.',
    '',
    'Inputs that do not fit a message are kept here for two hours after the last run; when one is gone, it is named. Told and ended as',
    'pleach run does. JOB is an id or any part of it that only one job begins with.',
  ],
  flags: {
    out: {
      type: 'text',
      placeholder: 'DIR',
      about: 'where what the program writes to /out is put; else the peer keeps it',
    },
  },
  takes: ['JOB'],
  async run(invocation) {
    const { flags, positionals, terminal, signal } = invocation
    const client = await connect(invocation)
    const { asked } = await client.job(positionals[0]!)
    const job = await client.rerun(positionals[0]!, flags.out === undefined ? {} : { out: resolve(flags.out) }, signal)
    return follow(client, job, new Timeline(terminal, asked ?? {}), invocation)
  },
})
