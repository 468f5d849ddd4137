/** Where agents are: named one by one, in a file, or by a name of the DNS that has the addresses of all. */
import { resolve4 } from 'node:dns/promises'
import { readFileSync, statSync } from 'node:fs'

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
  /** So many are waited for; 0: as many as there are. */
  readonly count: number
  readonly clock: Clock
  readonly resolve?: (name: string) => Promise<readonly string[]>
  readonly say: (line: string) => void
}

/** All that the name has, in the order of their addresses, so that the same agents have the same peers. Throws AgentError. */
export async function lookUpAgents({ name, port }: NamedAgents, options: LookUpOptions): Promise<AgentAddress[]> {
  const { count, clock, resolve = resolve4, say } = options
  using deadline = clock.deadline(countedWithinMs)
  let told = -1
  for (;;) {
    const hosts = await resolve(name).catch((error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error))
    if (typeof hosts === 'string' && count === 0)
      throw new AgentError(`${name} has no address (${hosts}): is this the name of the service that agents are in?`)
    const found = typeof hosts === 'string' ? [] : [...new Set(hosts)]
    if (found.length >= Math.max(1, count))
      return distinct(found.toSorted(byNumber).map((host) => ({ host, port }))).slice(0, count || agentsMax)
    if (found.length !== told) say(`  ${found.length} of ${count} agents are there`)
    told = found.length
    await clock.sleep(lookAgainMs, deadline.signal).catch(() => {
      throw new AgentError(
        `after ${countedWithinMs / 60_000} minutes ${name} has ${found.length} addresses, and not ${count}: ` +
          'look at why the others are not ready, or want fewer with --agents-wanted',
      )
    })
  }
}

function byNumber(left: string, right: string): number {
  const [one, other] = [left, right].map((ip) => ip.split('.').reduce((number, part) => number * 256 + Number(part), 0))
  return one! - other!
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
