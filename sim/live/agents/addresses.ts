/** Where agents are: named one by one, in a file, or by a name of the DNS that has the addresses of all. */
import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'

import type { Clock } from '../../../src/environment.ts'
import { AgentError } from './messages.ts'

export interface AgentAddress {
  readonly host: string
  readonly port: number
}

/** What is wrong with the way in which agents are named. */
export class AddressError extends Error {
  override readonly name = 'AddressError'
}

/** An agent for each peer of the largest run that anybody tried would be fewer. */
export const agentsMax = 10_000
const fileBytesMax = 4 * 1024 * 1024
/** Containers come up one after the other; whoever waits for a thousand of them waits for minutes. */
const countedWithinMs = 10 * 60_000
const lookAgainMs = 2_000
const dnsPrefix = 'dns:'

/** `host:port`; undefined when it is none. */
export function parseAgentAddress(text: string): AgentAddress | undefined {
  const match = /^(?<host>[a-z\d.-]+|\[[\da-f:]+\]):(?<port>\d{1,5})$/i.exec(text)
  const { host, port } = match?.groups ?? {}
  if (host === undefined || Number(port) > 65_535) return undefined
  return { host: host.replaceAll(/^\[|\]$/g, ''), port: Number(port) }
}

/** Agents one after the other, by spaces, commas or lines; what follows a # is a remark. Throws AddressError. */
export function listedAgents(text: string): AgentAddress[] {
  const words = text.replaceAll(/#.*$/gm, '').split(/[\s,]+/)
  return distinct(
    words
      .filter((word) => word !== '')
      .map((word) => {
        const address = parseAgentAddress(word)
        if (address === undefined) throw new AddressError(`${word} is no address of an agent: 127.0.0.1:7070`)
        return address
      }),
  )
}

/** A file of them. Throws AddressError. */
export function agentsInFile(path: string): AgentAddress[] {
  let text: string
  try {
    if (statSync(path).size > fileBytesMax) throw new AddressError(`${path} has more than ${fileBytesMax} bytes`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof AddressError) throw error
    throw new AddressError(`the agents cannot be read: ${(error as Error).message}`)
  }
  const agents = listedAgents(text)
  if (agents.length === 0) throw new AddressError(`${path} names no agent; one HOST:PORT a line`)
  return agents
}

export interface NamedAgents {
  readonly name: string
  readonly port: number
}

/** `dns:NAME:PORT`; undefined when it is another way to name them. Throws AddressError. */
export function namedAgents(text: string): NamedAgents | undefined {
  if (!text.startsWith(dnsPrefix)) return undefined
  const address = parseAgentAddress(text.slice(dnsPrefix.length))
  if (address === undefined) throw new AddressError(`${text} is no name of agents: dns:agents.example:7070`)
  return { name: address.host, port: address.port }
}

export interface LookUpOptions {
  /** So many are waited for, until somebody listens at each; 0: all that the name has, as they are. */
  readonly count: number
  readonly clock: Clock
  readonly addressesOf?: (name: string) => Promise<readonly string[]>
  readonly isThere?: (agent: AgentAddress) => Promise<boolean>
  readonly say: (line: string) => void
}

/** In the order of their addresses, so that the same agents have the same peers. Throws AgentError. */
export async function lookUpAgents(named: NamedAgents, options: LookUpOptions): Promise<AgentAddress[]> {
  const { name, port } = named
  const { count, clock, addressesOf = ipv4Of, isThere = isListening, say } = options
  const agentsNow = async (): Promise<AgentAddress[]> => {
    const hosts = [...new Set(await addressesOf(name))].toSorted((left, right) => numberOf(left) - numberOf(right))
    return distinct(hosts.map((host) => ({ host, port })))
  }
  if (count === 0) {
    return agentsNow().catch((error: unknown) => {
      throw new AgentError(
        `${name} has no address (${codeOf(error)}): is this the name of the service that agents are in?`,
      )
    })
  }
  using deadline = clock.deadline(countedWithinMs)
  for (let told = -1; ;) {
    // A name is known when the first of its agents is there.
    const agents = await agentsNow().catch(() => [])
    const there = await Promise.all(agents.map(isThere))
    const ready = agents.filter((_, place) => there[place])
    if (ready.length >= count) return ready.slice(0, count)
    if (ready.length !== told) say(`  ${ready.length} of ${count} agents are there`)
    told = ready.length
    await clock.sleep(lookAgainMs, deadline.signal).catch(() => {
      throw new AgentError(
        `after ${countedWithinMs / 60_000} minutes ${ready.length} agents listen at ${name}:${port}, and not ${count}: ` +
          'look at why the others do not, or want fewer with --agents-wanted',
      )
    })
  }
}

/** As the system resolves names, with its search list and its file of hosts. */
async function ipv4Of(name: string): Promise<string[]> {
  return (await lookup(name, { all: true, family: 4 })).map(({ address }) => address)
}

async function isListening({ host, port }: AgentAddress): Promise<boolean> {
  const socket = connect({ host, port })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(lookAgainMs) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}

function numberOf(ip: string): number {
  return ip.split('.').reduce((number, part) => number * 256 + Number(part), 0)
}

function distinct(agents: readonly AgentAddress[]): AgentAddress[] {
  if (agents.length > agentsMax) throw new AddressError(`${agents.length} agents are more than ${agentsMax}`)
  const seen = new Set<string>()
  for (const { host, port } of agents) {
    const key = `${host}:${port}`
    if (seen.has(key)) throw new AddressError(`${key} is named twice; an agent has one part of a run`)
    seen.add(key)
  }
  return [...agents]
}
