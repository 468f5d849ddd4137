/** `sim agent`: has a part of the peers of a run that another process drives. */
import { once } from 'node:events'

import { Agent } from '../live/agents/agent.ts'
import { collectGarbage, inOwnProcess } from './own-process.ts'

export interface AgentOrder {
  readonly listen: { readonly host: string; readonly port: number }
  /** Where peers of other agents reach those of this one. */
  readonly host: string
  readonly json: boolean
}

/** Whoever drives an agent has programs run on its machine: where more than this machine reaches it, it asks for this secret. */
export const tokenVariable = 'PLEACH_SIM_TOKEN'

/** Exit code: 0 when it was asked to end, 2 when anybody could drive it. */
export async function agent({ listen, host, json }: AgentOrder, args: readonly string[]): Promise<number> {
  return inOwnProcess(args, async () => {
    const say = (line: string): void => void process.stderr.write(`${line}\n`)
    const token = process.env[tokenVariable]
    if (token === undefined && listen.host !== '127.0.0.1' && listen.host !== '::1') {
      say(
        `error: on ${listen.host} anybody could have programs run here; set ${tokenVariable}, here and where sim run is`,
      )
      return 2
    }
    const running = await Agent.listen({ listen, host, token, say, onQuiet: collectGarbage })
    say(`agent at ${running.address}`)
    if (json) process.stdout.write(`${JSON.stringify({ v: 1, agent: running.address })}\n`)
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')])
    await running.stop()
    return 0
  })
}
