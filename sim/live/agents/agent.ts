/** An agent: it has a part of the peers of one run at a time, and does with them what the run tells it over HTTP. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { realClock } from '../../../src/environment.ts'
import { LivePart } from '../run/part.ts'
import { PlanError, planOf } from '../run/plan.ts'
import type { Part } from '../run/parts.ts'
import {
  agentVersion,
  bodyBytesMax,
  calls,
  decodeBody,
  encodeBody,
  orderSchema,
  residentsSchema,
  versionHeader,
  versionSchema,
  type Call,
} from './messages.ts'

export interface AgentOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** Where peers of other agents reach those of this one. */
  readonly host: string
  /** Who does not say it is not heard. */
  readonly token: string | undefined
  readonly say: (line: string) => void
  readonly onQuiet?: () => void
  /** A run that is not heard of for so long, between two calls, has gone without a word: its peers are ended. */
  readonly silentMsMax?: number
}

const silentMsMaxDefault = 60_000
/** What calls were under way when their run ended has this long to notice. */
const noticedWithinMs = 30_000
/** Beyond what drives it, some may look. */
const connectionsMax = 64

interface Running {
  readonly run: string
  readonly part: Part
  readonly name: string
  /** Fires when who called has hung up, or the run is over. */
  readonly ended: AbortController
  /** Of the part, under way. */
  readonly calls: Set<Promise<unknown>>
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
  /** Peers of the run before are on their way out. */
  #ending: Promise<void> = Promise.resolve()
  #cancelSilence = (): void => {}
  #calls = 0

  private constructor(options: AgentOptions) {
    this.#options = options
    this.#server = createServer((request, response) => void this.#serve(request, response))
    this.#server.maxConnections = connectionsMax
  }

  static async listen(options: AgentOptions): Promise<Agent> {
    const agent = new Agent(options)
    agent.#server.listen(options.listen.port, options.listen.host)
    await once(agent.#server, 'listening')
    return agent
  }

  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `${address.includes(':') ? `[${address}]` : address}:${port}`
  }

  async stop(): Promise<void> {
    this.#server.close()
    await this.#end('the agent stops')
    this.#server.closeAllConnections()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let status = 200
    let body: Uint8Array
    try {
      body = encodeBody(await this.#answer(request, response))
    } catch (error) {
      status = error instanceof RefusedCall ? error.status : 500
      if (status === 500) this.#options.say(`  ${(error as Error).stack ?? String(error)}`)
      body = encodeBody({ error: (error as Error).message })
    }
    response.writeHead(status, {
      'content-type': 'application/cbor',
      'content-length': body.byteLength,
      // What of the question was not read is not waited for.
      connection: 'close',
      [versionHeader]: agentVersion,
    })
    response.end(body)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    if (!isToken(this.#options.token, request.headers.authorization))
      throw new RefusedCall(
        401,
        'the token is another: set PLEACH_SIM_TOKEN to the same text here and where sim agent runs',
      )
    const { run, name } = /^\/v1\/(?<run>[\da-f-]{8,64})\/(?<name>\w+)$/.exec(request.url ?? '')?.groups ?? {}
    const call = calls.find((known) => known === name)
    if (request.method !== 'POST' || run === undefined || call === undefined)
      throw new RefusedCall(404, 'there is no such call; an agent is driven by sim run --agents')
    const argument = argumentOf(await bodyOf(request))
    if (call !== 'open' && this.#running?.run !== run) throw new RefusedCall(409, 'its run is not here, or no more')
    this.#calls += 1
    this.#cancelSilence()
    try {
      return await (call === 'open' ? this.#open(run, argument) : this.#told(call, argument, response))
    } finally {
      this.#calls -= 1
      this.#mindSilence()
    }
  }

  async #open(run: string, argument: unknown): Promise<unknown> {
    const version = versionSchema.safeParse(argument)
    if (!version.success) throw new RefusedCall(400, 'this is no order of a run')
    if (version.data.v !== agentVersion)
      throw new RefusedCall(
        400,
        `it speaks version ${agentVersion}, and not ${version.data.v}: run the same pleach there and here`,
      )
    const order = orderSchema.safeParse(argument)
    if (!order.success) {
      const { path, message } = order.error.issues[0]!
      throw new RefusedCall(
        400,
        `it does not understand ${path.join('.') || 'the order'}: ${message}; is it of another build?`,
      )
    }
    const { scenario, seed, mine, name } = order.data
    if (this.#running !== undefined) throw new RefusedCall(409, `it is busy with another run: ${this.#running.name}`)
    const { say, onQuiet, host } = this.#options
    const plan = planned(() => planOf(scenario, seed))
    const part = new LivePart({ plan, mine, host, name, say, ...(onQuiet === undefined ? {} : { onQuiet }) })
    const running: Running = {
      run,
      part,
      name: `${name} of ${scenario.name}`,
      ended: new AbortController(),
      calls: new Set(),
    }
    this.#running = running
    say(`${running.name}: peers ${mine[0]} to ${mine[1] - 1}`)
    await this.#ending
    return noted(running, part.open())
  }

  async #told(call: Exclude<Call, 'open'>, argument: unknown, response: ServerResponse): Promise<unknown> {
    const running = this.#running!
    if (call === 'close') return this.#end('the run is over')
    if (call === 'sample') return running.part.sample()
    const hangUp = (): void => {
      if (!response.writableFinished) running.ended.abort(new Error('the run has hung up'))
    }
    response.once('close', hangUp)
    try {
      return await noted(running, this.#do(running, call, argument))
    } finally {
      response.off('close', hangUp)
    }
  }

  async #do(
    { part, ended: { signal } }: Running,
    call: Exclude<Call, 'open' | 'sample' | 'close'>,
    argument: unknown,
  ): Promise<unknown> {
    if (call === 'start') {
      const residents = residentsSchema.safeParse(argument)
      if (!residents.success) throw new RefusedCall(400, 'this is no list of peers')
      return part.start(residents.data, signal)
    }
    // Those that tell something take no signal, and none minds to be given one.
    return part[call](signal)
  }

  /** Whoever asks next waits for it. */
  async #end(because: string): Promise<void> {
    const running = this.#running
    this.#running = undefined
    this.#cancelSilence()
    if (running === undefined) return this.#ending
    running.ended.abort(new Error(because))
    const end = async (): Promise<void> => {
      using deadline = realClock.deadline(noticedWithinMs)
      const noticed = Promise.allSettled(running.calls)
      await Promise.race([noticed, once(deadline.signal, 'abort')])
      await running.part.close()
      this.#options.say(`  ${because}`)
    }
    this.#ending = end().catch((error: unknown) => this.#options.say(`  its peers did not end well: ${String(error)}`))
    return this.#ending
  }

  #mindSilence(): void {
    this.#cancelSilence()
    if (this.#calls > 0 || this.#running === undefined) return
    const { silentMsMax = silentMsMaxDefault } = this.#options
    this.#cancelSilence = realClock.after(silentMsMax, () => void this.#end('nothing more was heard of the run'))
  }
}

async function noted<Result>({ calls: under }: Running, call: Promise<Result>): Promise<Result> {
  under.add(call)
  try {
    return await call
  } finally {
    under.delete(call)
  }
}

function planned<Plan>(plan: () => Plan): Plan {
  try {
    return plan()
  } catch (error) {
    if (error instanceof PlanError) throw new RefusedCall(400, error.message)
    throw error
  }
}

function argumentOf(body: Uint8Array): unknown {
  try {
    return decodeBody(body)
  } catch {
    throw new RefusedCall(400, 'the body is no DAG-CBOR')
  }
}

/** Read as it comes, and no further than is lawful. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const tooLarge = (): RefusedCall => new RefusedCall(413, `a call has at most ${bodyBytesMax} bytes`)
  if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax) throw tooLarge()
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const pieces: Buffer[] = []
  let bytes = 0
  const take = (piece: Buffer): void => {
    bytes += piece.byteLength
    if (bytes <= bodyBytesMax) return void pieces.push(piece)
    request.off('data', take)
    pieces.length = 0
    reject(tooLarge())
  }
  request.on('data', take)
  request.once('end', () => resolve(Buffer.concat(pieces)))
  request.once('error', reject)
  request.once('close', () => reject(new RefusedCall(400, 'the body broke off')))
  return promise
}

/** Hashes are as long as each other, whatever was said. */
function isToken(wanted: string | undefined, header: string | undefined): boolean {
  if (wanted === undefined) return true
  const [given, own] = [header ?? '', `Bearer ${wanted}`].map((text) => createHash('sha256').update(text).digest())
  return timingSafeEqual(given!, own!)
}
