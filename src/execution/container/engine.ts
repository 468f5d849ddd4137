/**
 * The Docker Engine API, as far as running one container needs it, over a unix socket: Docker and Podman both speak it
 * (https://docs.docker.com/reference/api/engine/version/v1.41/). One connection a request, a deadline on each, and a cap on
 * what is read: the engine is the owner's own, but what it tells of a stranger's container is not.
 */
import { request, type ClientRequest, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import type { Clock } from '../../environment.ts'

/** An answer that is kept whole: the inspection of an image with thousands of layers is far below. */
const answerBytesMax = 4 * 1_024 * 1_024
/** For what an engine does at once. Starting a container took 0.2 to 0.6 s on a busy machine. */
export const engineAnswerMs = 30_000

/** The engine said no. `status` is that of HTTP. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface Ask {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal: AbortSignal
  /** Left out: {@link engineAnswerMs}. */
  readonly withinMs?: number
}

export class Engine {
  readonly socketPath: string
  readonly #clock: Pick<Clock, 'deadline'>

  constructor(socketPath: string, clock: Pick<Clock, 'deadline'>) {
    this.socketPath = socketPath
    this.#clock = clock
  }

  /** The answer as JSON; undefined for an empty one. Rejects with EngineError, or as the socket does. */
  async ask(method: string, path: string, ask: Ask): Promise<unknown> {
    using deadline = this.#clock.deadline(ask.withinMs ?? engineAnswerMs, ask.signal)
    const sent = this.#request(method, path, ask.query, deadline.signal, 'application/json')
    sent.end(ask.body === undefined ? undefined : JSON.stringify(ask.body))
    const text = await textOf(await answerTo(sent))
    return text === '' ? undefined : parsed(text)
  }

  /** Sends a tar; resolves with what the engine says of it. Rejects also with what `tar` throws. */
  async upload(method: string, path: string, tar: AsyncIterable<Uint8Array>, ask: Ask): Promise<string> {
    using deadline = this.#clock.deadline(ask.withinMs ?? engineAnswerMs, ask.signal)
    const sent = this.#request(method, path, ask.query, deadline.signal, 'application/x-tar')
    const answered = answerTo(sent)
    let broken: { readonly error: unknown } | undefined
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* tar
      } catch (error) {
        broken = { error }
        throw error
      }
    }
    const sending = pipeline(source, sent).catch(() => {})
    try {
      return await textOf(await answered)
    } catch (error) {
      // What was wrong with the tar itself; else what the engine says, rather than that it closed the pipe under our hands.
      throw broken === undefined ? error : broken.error
    } finally {
      await sending
    }
  }

  /** The answer's body as it comes. Its end is the caller's to wait for, and `signal` ends it. */
  async stream(method: string, path: string, ask: Ask): Promise<IncomingMessage> {
    const sent = this.#request(method, path, ask.query, ask.signal, 'application/json')
    sent.end()
    return answerTo(sent)
  }

  /** Both directions of standard streams (of a container, or of a program run beside it): a connection that is HTTP no more. */
  async attach(path: string, ask: Ask): Promise<Duplex> {
    using deadline = this.#clock.deadline(ask.withinMs ?? engineAnswerMs, ask.signal)
    const sent = this.#request('POST', path, ask.query, deadline.signal, 'application/json', {
      connection: 'Upgrade',
      upgrade: 'tcp',
    })
    return await new Promise((resolve, reject) => {
      sent.on('error', reject)
      sent.on('upgrade', (_answer, socket, head) => {
        // The deadline was for the answer alone.
        socket.on('error', () => {})
        if (head.byteLength > 0) socket.unshift(head)
        resolve(socket)
      })
      sent.on('response', (answer) => void refusedBy(answer).then(reject, reject))
      sent.end(ask.body === undefined ? undefined : JSON.stringify(ask.body))
    })
  }

  #request(
    method: string,
    path: string,
    query: Ask['query'],
    signal: AbortSignal,
    type: string,
    headers: Readonly<Record<string, string>> = {},
  ): ClientRequest {
    const search = query === undefined ? '' : `?${new URLSearchParams(query).toString()}`
    const hasBody = method === 'POST' || method === 'PUT'
    return request({
      socketPath: this.socketPath,
      agent: false,
      method,
      path: `${path}${search}`,
      headers: { host: 'engine', ...(hasBody ? { 'content-type': type } : {}), ...headers },
      signal,
    })
  }
}

async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.on('response', resolve)
    sent.on('error', reject)
  })
  if ((answer.statusCode ?? 0) >= 400) throw await refusedBy(answer)
  return answer
}

async function refusedBy(answer: IncomingMessage): Promise<EngineError> {
  const text = await textOf(answer).catch((error: unknown) => String(error))
  const said = parsed(text)
  const message = typeof said === 'object' && said !== null && 'message' in said ? String(said.message) : text
  return new EngineError(answer.statusCode ?? 0, message.slice(0, 500))
}

async function textOf(answer: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > answerBytesMax) throw new RangeError(`the engine's answer has more than ${answerBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Text that is no JSON stands for itself. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
