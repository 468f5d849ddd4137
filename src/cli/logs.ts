/** `pleach logs JOB [-f]`: what a job has written, stdout to stdout and stderr to stderr, byte for byte. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'

export const command = defineCommand({
  usage: 'logs [-f] [flags] JOB',
  about: [
    "The job's stdout on stdout and its stderr on stderr, byte for byte. With --json every event of the job as a line,",
    'pieces of the log as base64.',
  ],
  flags: { follow: { type: 'switch', short: 'f', about: 'go on until the job ends' } },
  takes: ['JOB'],
  async run(invocation) {
    const { terminal, positionals, flags, signal } = invocation
    const client = await connect(invocation)
    const until = AbortSignal.any([signal, terminal.gone])
    try {
      for await (const event of client.jobEvents(positionals[0]!, { logs: true, follow: flags.follow }, until)) {
        if (terminal.json) await terminal.printJson({ v: 1, ...event })
        else if (event.type === 'log') {
          const bytes = Buffer.from(event.base64, 'base64')
          await (event.channel === 'stdout' ? terminal.data(bytes) : terminal.errorData(bytes))
        }
      }
    } catch (error) {
      if (!terminal.gone.aborted) throw error
    }
    return exits.ok
  },
})
