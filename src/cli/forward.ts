/** `pleach forward JOB 8080:80`: a port of this machine that leads to a port of a service. */
import { exits } from '../config/error.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { shortJob } from './format.ts'
import { usage } from './problem.ts'

export const command = defineCommand({
  usage: 'forward [flags] JOB [LOCAL:]PORT',
  about: [
    'Listens on 127.0.0.1 at LOCAL (the same as PORT when it is left out, any that is free when it is 0), and carries each connection',
    'through the mesh to PORT of the service, until Ctrl-C or until the service is over. With --json every event as a line.',
  ],
  flags: {},
  takes: ['JOB', '[LOCAL:]PORT'],
  async run(invocation) {
    const { terminal, positionals, signal } = invocation
    const [job = '', ports = ''] = positionals
    const wanted = parsePorts(ports)
    const client = await connect(invocation)
    for await (const event of client.forward(job, wanted, AbortSignal.any([signal, terminal.gone]))) {
      if (terminal.json) await terminal.printJson({ v: 1, ...event })
      else if (event.type === 'listening')
        await terminal.print(`http://127.0.0.1:${event.port} is port ${wanted.port} of the service`)
      else if (event.type === 'refused')
        terminal.note(`a connection failed: ${safe(event.code, 48)} ${safe(event.why, 200)}`)
      else if (event.type === 'end') terminal.note(`job ${shortJob(event.job.id)} is over: ${safe(event.job.code, 48)}`)
    }
    return exits.ok
  },
})

/** Throws a ConfigError USAGE. */
export function parsePorts(text: string): { readonly local: number; readonly port: number } {
  const [, before, after] = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text) ?? []
  const [port, local] = [Number(after), Number(before ?? after)]
  if (after === undefined || port < 1 || port > 65_535 || local > 65_535)
    throw usage(`${text.slice(0, 40)} is no port`, 'it is PORT, or LOCAL:PORT', 'pleach forward JOB 8080:80')
  return { local, port }
}
