/** An agent: it has a part of the peers of one run at a time, and does with them what the run tells it over HTTP. */
import { timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { realClock } from '../../../src/environment.ts'
import { scenarioSchema } from '../../scenarios/schema.ts'
import { LivePart } from '../run/part.ts'
import { planOf } from '../run/plan.ts'
import type { Part } from '../run/parts.ts'
import type { Resident } from '../world.ts'
import { agentVersion, bodyBytesMax, calls, decodeBody, encodeBody, type AgentOrder, type Call } from './messages.ts'

export interface AgentOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** Where peers of other agents reach those of this one. */
  readonly host: string
  /** Who does not say it is not heard. */
  readonly token: string | undefined
  readonly say: (line: string) => void
  readonly onQuiet?: () => void
}

/** A run that is not heard of for so long, between two calls, has gone without a word: its peers are ended. */
const silentMsMax = 120_000

interface Running {
  readonly run: string
  readonly part: Part
  readonly name: string
  /** Fires when who called has hung up. */
  readonly ended: AbortController
}

class RefusedCall extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export class Agent {
  readonly #options: AgentOptions
  readonly #server: Server
  #running: Running | undefined
  #cancelSilence = (): void => {}
  #calls = 0

  private constructor(options: AgentOptions) {
    this.#options = options
    this.#server = createServer((request, response) => void this.#serve(request, response))
    // A call lasts as long as what it asks for.
    this.#server.requestTimeout = 0
  }

  static async listen(options: AgentOptions): Promise<Agent> {
    const agent = new Agent(options)
    agent.#server.listen(options.listen.port, options.listen.host)
    await once(agent.#server, 'listening')
    return agent
  }

  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `${address}:${port}`
  }

  async stop(): Promise<void> {
    this.#server.close()
    this.#server.closeAllConnections()
    await this.#end('the agent stops')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let status = 200
    let answer: unknown
    this.#calls += 1
    this.#cancelSilence()
    try {
      answer = await this.#answer(request, response)
    } catch (error) {
      status = error instanceof RefusedCall ? error.status : 500
      answer = { error: (error as Error).message }
      if (status === 500) this.#options.say(`  ${(error as Error).stack ?? String(error)}`)
    } finally {
      this.#calls -= 1
    }
    if (this.#calls === 0 && this.#running !== undefined)
      this.#cancelSilence = realClock.after(silentMsMax, () => void this.#end('nothing more was heard of the run'))
    const body = encodeBody(answer)
    response.writeHead(status, {
      'content-type': 'application/cbor',
      'content-length': body.byteLength,
      'pleach-agent': agentVersion,
    })
    response.end(body)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const { run, name } = /^\/v1\/(?<run>[\da-f-]{8,64})\/(?<name>\w+)$/.exec(request.url ?? '')?.groups ?? {}
    const call = calls.find((known) => known === name)
    if (request.method !== 'POST' || run === undefined || call === undefined)
      throw new RefusedCall(404, 'there is no such call')
    if (!isToken(this.#options.token, request.headers.authorization)) throw new RefusedCall(401, 'the token is another')
    const argument = decodeBody(await bodyOf(request))
    if (call === 'open') return this.#open(run, argument as AgentOrder)
    const running = this.#running
    if (running?.run !== run) throw new RefusedCall(409, 'there is no such run here')
    const hangUp = (): void => {
      if (!response.writableFinished) running.ended.abort(new Error('the run has hung up'))
    }
    response.once('close', hangUp)
    try {
      return await this.#do(running, call, argument)
    } finally {
      response.off('close', hangUp)
    }
  }

  async #open(run: string, { v, scenario, seed, mine, name }: AgentOrder): Promise<unknown> {
    if (this.#running !== undefined) throw new RefusedCall(409, `it is busy: ${this.#running.name}`)
    if (v !== agentVersion) throw new RefusedCall(400, `it speaks version ${agentVersion}, and not ${v}`)
    const checked = scenarioSchema.safeParse(scenario)
    if (!checked.success) throw new RefusedCall(400, 'it does not know this kind of scenario: is it of another build?')
    const { say, onQuiet, host } = this.#options
    const part = new LivePart({
      plan: planOf(checked.data, seed),
      mine,
      host,
      name,
      say,
      ...(onQuiet === undefined ? {} : { onQuiet }),
    })
    this.#running = { run, part, name: `${name} of ${scenario.name}`, ended: new AbortController() }
    say(`${this.#running.name}: peers ${mine[0]} to ${mine[1] - 1}`)
    return part.open()
  }

  async #do({ part, ended: { signal } }: Running, call: Exclude<Call, 'open'>, argument: unknown): Promise<unknown> {
    switch (call) {
      case 'start':
        return part.start(argument as Resident[])
      case 'join':
        return part.join(signal)
      case 'probe':
        return part.probe(signal)
      case 'putObjects':
        return part.putObjects(signal)
      case 'getObjects':
        return part.getObjects(signal)
      case 'act':
        return part.act(signal)
      case 'settle':
        return part.settle(signal)
      case 'mend':
        return part.mend(signal)
      case 'ties':
        return part.ties()
      case 'findings':
        return part.findings()
      case 'stop':
        return part.stop()
      case 'close':
        return this.#end('the run is over')
    }
  }

  async #end(because: string): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#cancelSilence()
    if (running === undefined) return
    running.ended.abort(new Error(because))
    await running.part.close()
    this.#options.say(`  ${because}`)
  }
}

async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of request as AsyncIterable<Buffer>) {
    bytes += piece.byteLength
    if (bytes > bodyBytesMax) throw new RefusedCall(413, `a call has at most ${bodyBytesMax} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function isToken(wanted: string | undefined, header: string | undefined): boolean {
  if (wanted === undefined) return true
  const [given, own] = [Buffer.from(header ?? ''), Buffer.from(`Bearer ${wanted}`)]
  return given.byteLength === own.byteLength && timingSafeEqual(given, own)
}
