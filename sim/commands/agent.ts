/** `sim agent`: has a part of the peers of a run that another process drives. */
import { isIPv4 } from 'node:net'
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os'

import { Agent } from '../live/agents/agent.ts'
import type { AgentAddress } from '../live/agents/addresses.ts'
import { onInterrupt } from './interrupts.ts'
import { collectGarbage, inOwnProcess } from './own-process.ts'

export interface AgentOrder {
  readonly listen: AgentAddress
  /** Where peers of other agents reach those of this one; undefined: where it listens. */
  readonly host: string | undefined
  readonly json: boolean
}

/** Whoever drives an agent has programs run on its machine: where more than this machine reaches it, it asks for this secret. */
export const tokenVariable = 'PLEACH_SIM_TOKEN'

/** Exit code: 0 when it was asked to end, 2 when anybody could drive it, or when nobody knows where its peers would be, 1 when it cannot listen. */
export async function agent({ listen, host, json }: AgentOrder, args: readonly string[]): Promise<number> {
  return inOwnProcess(args, async () => {
    const say = (line: string): void => void process.stderr.write(`${line}\n`)
    const token = process.env[tokenVariable] || undefined
    if (token === undefined && listen.host !== '127.0.0.1' && listen.host !== '::1') {
      say(
        `error: on ${listen.host} anybody could have programs run here; set ${tokenVariable}, here and where sim run is`,
      )
      return 2
    }
    const peersAt = hostOf(listen.host, host, networkInterfaces())
    if ('error' in peersAt) {
      say(`error: ${peersAt.error}`)
      return 2
    }
    const asked = Promise.withResolvers<void>()
    onInterrupt(() => asked.resolve())
    let running: Agent
    try {
      running = await Agent.listen({ listen, host: peersAt.host, token, say, onQuiet: collectGarbage })
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const why =
        code === 'EADDRINUSE'
          ? 'something else listens there'
          : code === 'EADDRNOTAVAIL'
            ? 'it is no address of this machine'
            : message
      say(
        `error: an agent cannot listen on ${listen.host}:${listen.port}: ${why}; choose another with --listen HOST:PORT`,
      )
      return 1
    }
    say(`agent at ${running.address}, its peers at ${peersAt.host}`)
    if (json) process.stdout.write(`${JSON.stringify({ v: 1, agent: running.address })}\n`)
    await asked.promise
    await running.stop()
    return 0
  })
}

type Interfaces = NodeJS.Dict<readonly NetworkInterfaceInfo[]>

/** An IPv4 address at which peers of other agents reach ours, or what is wrong with what was said of it. */
export function hostOf(
  listen: string,
  host: string | undefined,
  interfaces: Interfaces,
): { readonly host: string } | { readonly error: string } {
  const said = host ?? listen
  if (isIPv4(said) && said !== '0.0.0.0') return { host: said }
  if (host !== undefined)
    return { error: `--host is an IPv4 address that other machines reach this one at, not ${host}` }
  const own = Object.values(interfaces).flatMap((all) => all ?? [])
  const outside = own.filter(({ family, internal }) => family === 'IPv4' && !internal).map(({ address }) => address)
  const [first, ...others] = outside
  if (first !== undefined && others.length === 0) return { host: first }
  return {
    error:
      first === undefined
        ? 'this machine has no IPv4 address that others reach it at; say one with --host IP'
        : `this machine has several addresses; say at which others reach it: --host ${outside.join(', or --host ')}`,
  }
}
