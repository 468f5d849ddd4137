/** A part of a run that an agent has, on this machine or on another. */
import { randomUUID } from 'node:crypto'
import { request } from 'node:http'

import { realClock } from '../../../src/environment.ts'
import type { LedgerOfPeer } from '../run/ledgers.ts'
import type { BootFindings, Part, PartFindings, Ties } from '../run/parts.ts'
import type { Resident } from '../world.ts'
import { AgentError, bodyBytesMax, decodeBody, encodeBody, type AgentOrder, type Call } from './messages.ts'

export interface RemotePartOptions {
  readonly host: string
  readonly port: number
  /** What the agent wants to hear; undefined: it wants nothing. */
  readonly token: string | undefined
  readonly order: AgentOrder
}

/** A call that takes longer has not ended. */
const callWithinMs = 60 * 60_000
const closeWithinMs = 60_000

export class RemotePart implements Part {
  readonly #options: RemotePartOptions
  readonly #run = randomUUID()

  constructor(options: RemotePartOptions) {
    this.#options = options
  }

  async open(): Promise<readonly Resident[]> {
    return (await this.#call('open', this.#options.order)) as Resident[]
  }

  async start(residents: readonly Resident[]): Promise<void> {
    await this.#call('start', residents)
  }

  async join(signal: AbortSignal): Promise<BootFindings> {
    return (await this.#call('join', null, signal)) as BootFindings
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#call('probe', null, signal)
  }

  async putObjects(signal: AbortSignal): Promise<void> {
    await this.#call('putObjects', null, signal)
  }

  async getObjects(signal: AbortSignal): Promise<void> {
    await this.#call('getObjects', null, signal)
  }

  async act(signal: AbortSignal): Promise<void> {
    await this.#call('act', null, signal)
  }

  async settle(signal: AbortSignal): Promise<void> {
    await this.#call('settle', null, signal)
  }

  async mend(signal: AbortSignal): Promise<void> {
    await this.#call('mend', null, signal)
  }

  async ties(): Promise<Ties> {
    return (await this.#call('ties', null)) as Ties
  }

  async findings(): Promise<PartFindings> {
    return (await this.#call('findings', null)) as PartFindings
  }

  async stop(): Promise<readonly LedgerOfPeer[]> {
    return (await this.#call('stop', null)) as LedgerOfPeer[]
  }

  async close(): Promise<void> {
    using deadline = realClock.deadline(closeWithinMs)
    await this.#call('close', null, deadline.signal)
  }

  async #call(call: Call, argument: unknown, signal?: AbortSignal): Promise<unknown> {
    const { host, port, token, order } = this.#options
    using deadline = realClock.deadline(callWithinMs, signal)
    const [status, answer] = await post(
      host,
      port,
      `/v1/${this.#run}/${call}`,
      encodeBody(argument),
      token,
      deadline.signal,
    )
    if (status === 200) return answer
    throw new AgentError(
      `${order.name} at ${host}:${port} did not do ${call}: ${String((answer as { error?: unknown }).error)}`,
    )
  }
}

async function post(
  host: string,
  port: number,
  path: string,
  body: Uint8Array,
  token: string | undefined,
  signal: AbortSignal,
): Promise<[status: number, answer: unknown]> {
  const { promise, resolve, reject } = Promise.withResolvers<[number, unknown]>()
  const asked = request({
    host,
    port,
    path,
    method: 'POST',
    signal,
    headers: {
      'content-type': 'application/cbor',
      'content-length': body.byteLength,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
  })
  asked.on('error', reject)
  asked.on('response', (response) => {
    const pieces: Buffer[] = []
    let bytes = 0
    response.on('data', (piece: Buffer) => {
      bytes += piece.byteLength
      if (bytes > bodyBytesMax) asked.destroy(new AgentError(`the agent answers with more than ${bodyBytesMax} bytes`))
      else pieces.push(piece)
    })
    response.on('error', reject)
    response.on('end', () => {
      try {
        resolve([response.statusCode ?? 0, decodeBody(Buffer.concat(pieces))])
      } catch {
        reject(new AgentError(`what answers at ${host}:${port} is no agent`))
      }
    })
  })
  asked.end(body)
  return promise
}
