/** A part of a run that an agent has, on this machine or on another. */
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'

import { realClock } from '../../../src/environment.ts'
import type { ProcessSample } from '../measures/findings.ts'
import type { LedgerOfPeer } from '../run/ledgers.ts'
import type { BootFindings, Part, PartFindings, Ties } from '../run/parts.ts'
import type { Resident } from '../world.ts'
import type { AgentAddress } from './addresses.ts'
import {
  AgentError,
  agentVersion,
  bodyBytesMax,
  decodeBody,
  encodeBody,
  versionHeader,
  type AgentOrder,
  type Call,
} from './messages.ts'

export interface RemotePartOptions extends AgentAddress {
  /** What the agent wants to hear; undefined: it wants nothing. */
  readonly token: string | undefined
  readonly order: AgentOrder
  /** An agent that answers no call for a sample in this time is lost. */
  readonly lostAfterMs?: number
}

/** A call that takes longer has not ended. */
const callWithinMs = 60 * 60_000
/** Before anything runs, and after. */
const shortWithinMs = 60_000
const sampleWithinMs = 10_000
const lostAfterMsDefault = 60_000

export class RemotePart implements Part {
  readonly #options: RemotePartOptions
  readonly #run = randomUUID()
  /** Fires when the agent has gone without a word: what was asked of it will not be answered. */
  readonly #lost = new AbortController()
  #heardMs = realClock.monotonicMs()

  constructor(options: RemotePartOptions) {
    this.#options = options
  }

  async open(): Promise<readonly Resident[]> {
    return (await this.#call('open', encodeBody(this.#options.order), shortWithinMs)) as Resident[]
  }

  async start(residents: readonly Resident[], signal: AbortSignal): Promise<void> {
    await this.#call('start', encodedOnce(residents), callWithinMs, signal)
  }

  async join(signal: AbortSignal): Promise<BootFindings> {
    return (await this.#call('join', none, callWithinMs, signal)) as BootFindings
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#call('probe', none, callWithinMs, signal)
  }

  async putObjects(signal: AbortSignal): Promise<void> {
    await this.#call('putObjects', none, callWithinMs, signal)
  }

  async getObjects(signal: AbortSignal): Promise<void> {
    await this.#call('getObjects', none, callWithinMs, signal)
  }

  async act(signal: AbortSignal): Promise<void> {
    await this.#call('act', none, callWithinMs, signal)
  }

  async settle(signal: AbortSignal): Promise<void> {
    await this.#call('settle', none, callWithinMs, signal)
  }

  async mend(signal: AbortSignal): Promise<void> {
    await this.#call('mend', none, callWithinMs, signal)
  }

  /** Never rejects: what other calls are there for fails with them, at the latest when nothing was heard for too long. */
  async sample(): Promise<ProcessSample | null> {
    const { host, port, order, lostAfterMs = lostAfterMsDefault } = this.#options
    try {
      const sample = (await this.#call('sample', none, Math.min(sampleWithinMs, lostAfterMs))) as ProcessSample | null
      this.#heardMs = realClock.monotonicMs()
      return sample
    } catch {
      const silentMs = realClock.monotonicMs() - this.#heardMs
      if (silentMs >= lostAfterMs)
        this.#lost.abort(
          new AgentError(
            `${order.name} at ${host}:${port} was not heard of for ${Math.round(silentMs / 1_000)} s: ` +
              'its machine is off, out of reach, or has far too much to do',
          ),
        )
      return null
    }
  }

  async ties(): Promise<Ties> {
    return (await this.#call('ties', none, callWithinMs)) as Ties
  }

  async findings(): Promise<PartFindings> {
    return (await this.#call('findings', none, callWithinMs)) as PartFindings
  }

  async stop(): Promise<readonly LedgerOfPeer[]> {
    return (await this.#call('stop', none, callWithinMs)) as LedgerOfPeer[]
  }

  async close(): Promise<void> {
    if (!this.#lost.signal.aborted) await this.#call('close', none, shortWithinMs)
  }

  async #call(call: Call, body: Uint8Array, withinMs: number, signal?: AbortSignal): Promise<unknown> {
    const { host, port, token, order } = this.#options
    const who = `${order.name} at ${host}:${port}`
    using deadline = realClock.deadline(withinMs, signal)
    const until = AbortSignal.any([deadline.signal, this.#lost.signal])
    let answer: Answer
    try {
      answer = await post({ host, port, path: `/v1/${this.#run}/${call}`, body, token, signal: until })
    } catch (error) {
      signal?.throwIfAborted()
      this.#lost.signal.throwIfAborted()
      if (until.aborted) throw new AgentError(`${who} did not answer ${call} within ${withinMs / 1_000} s`)
      throw new AgentError(`${who} ${whyNot(error as NodeJS.ErrnoException, call)}`)
    }
    if (answer.version === undefined)
      throw new AgentError(`${who} is none: something else answers there; is the port right?`)
    if (answer.version !== String(agentVersion))
      throw new AgentError(
        `${who} is of another build (its version is ${answer.version}, here it is ${agentVersion}): run the same pleach there and here`,
      )
    const said = decoded(answer.body)
    if (answer.status === 200) return said
    throw new AgentError(`${who} did not do ${call}: ${String((said as { error?: unknown } | null)?.error)}`)
  }
}

const none = encodeBody(null)

/** A list of all peers is the same for every agent; for a thousand of them it is not written a thousand times. */
const encoded = new WeakMap<readonly Resident[], Uint8Array>()

function encodedOnce(residents: readonly Resident[]): Uint8Array {
  const known = encoded.get(residents)
  if (known !== undefined) return known
  const body = encodeBody(residents)
  encoded.set(residents, body)
  return body
}

function decoded(body: Uint8Array): unknown {
  try {
    return decodeBody(body)
  } catch {
    return { error: 'its answer cannot be read' }
  }
}

function whyNot({ code, message }: NodeJS.ErrnoException, call: Call): string {
  switch (code) {
    case 'ECONNREFUSED':
      return call === 'open'
        ? 'is not there: nobody listens; start it with sim agent --listen HOST:PORT'
        : `has ended: nobody listens there any more, at ${call}`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'is not there: the name has no address'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
      return `is out of reach (${code}): do both machines see each other?`
    case 'ECONNRESET':
    case 'EPIPE':
      return `broke off in the middle of ${call}: its process was killed or has failed; see what it said last, and start it again`
    default:
      // What is no HTTP fails in the parser.
      return code?.startsWith('HPE_') === true
        ? 'is none: something else answers there; is the port right?'
        : `did not do ${call}: ${message}`
  }
}

interface Question {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly body: Uint8Array
  readonly token: string | undefined
  readonly signal: AbortSignal
}

interface Answer {
  readonly status: number
  /** Undefined: it is no agent that answers. */
  readonly version: string | undefined
  readonly body: Uint8Array
}

/** On a connection of its own: one that was used before may be ending just now. */
async function post({ host, port, path, body, token, signal }: Question): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const asked = request({
    host,
    port,
    path,
    method: 'POST',
    agent: false,
    signal,
    headers: {
      'content-type': 'application/cbor',
      'content-length': body.byteLength,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  })
  asked.on('error', reject)
  asked.on('response', (response) => {
    const version = response.headers[versionHeader]
    const pieces: Buffer[] = []
    let bytes = 0
    response.on('data', (piece: Buffer) => {
      bytes += piece.byteLength
      if (bytes > bodyBytesMax) asked.destroy(new AgentError(`answers with more than ${bodyBytesMax} bytes`))
      else pieces.push(piece)
    })
    response.on('error', reject)
    response.on('end', () =>
      resolve({
        status: response.statusCode ?? 0,
        version: typeof version === 'string' ? version : undefined,
        body: Buffer.concat(pieces),
      }),
    )
  })
  asked.end(body)
  return promise
}
