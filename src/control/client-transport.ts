/** JSON and lines of JSON over HTTP on a unix socket. No connection is kept: commands ask once and end. */
import { request as httpRequest, type IncomingMessage } from 'node:http'

import { ControlError } from './api.ts'
import { errorOf, isErrorView } from './errors.ts'

/** The longest answer is a receipt file with every receipt of a long lease. */
const answerBytesMax = 256 * 1024 * 1024
/** One event; a piece of a log is the longest. */
const lineCharsMax = 8 * 1024 * 1024

export interface Transport {
  ask(method: 'GET' | 'POST', path: string, body: unknown, signal: AbortSignal): Promise<unknown>
  /** Reads no further than is asked for: what is not taken waits at the peer. */
  lines(path: string, signal: AbortSignal): AsyncIterable<unknown>
}

export function createTransport(socket: string): Transport {
  const send = async (method: string, path: string, body: unknown, signal: AbortSignal): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
      const headers: Record<string, string | number> =
        payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': payload.byteLength }
      const outgoing = httpRequest({ socketPath: socket, method, path, headers, signal, agent: false })
      outgoing.once('response', resolve)
      outgoing.once('error', (error) => reject(signal.aborted ? (signal.reason as Error) : carried(socket, error)))
      outgoing.end(payload)
    })
  return {
    async ask(method, path, body, signal) {
      const response = await send(method, path, body, signal)
      const answer = parse(await readAll(response, socket, signal))
      if (isErrorView(answer)) throw errorOf(answer)
      return answer
    },
    async *lines(path, signal) {
      const response = await send('GET', path, undefined, signal)
      for await (const line of readLines(response, socket, signal)) {
        const value = parse(line)
        if (isErrorView(value)) throw errorOf(value)
        yield value
      }
    },
  }
}

async function readAll(response: IncomingMessage, socket: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunksOf(response, socket, signal)) {
    bytes += chunk.byteLength
    if (bytes > answerBytesMax) throw garbled(`it is longer than ${answerBytesMax} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function* readLines(response: IncomingMessage, socket: string, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunksOf(response, socket, signal)) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > lineCharsMax) throw garbled(`a line is longer than ${lineCharsMax} characters`)
    yield* lines
  }
  if (rest !== '') yield rest
}

/** What comes, with a broken connection told as what it means. */
async function* chunksOf(
  response: IncomingMessage,
  socket: string,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, void> {
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) yield chunk
  } catch (error) {
    throw signal.aborted ? (signal.reason as Error) : carried(socket, error as Error)
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    throw garbled('it is not JSON')
  }
}

/** What an error of the socket means to a person. */
function carried(socket: string, error: NodeJS.ErrnoException): ControlError {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new ControlError({
      code: 'NO_PEER',
      what: 'no peer is running',
      why: `nobody answers on ${socket}`,
      cure: 'pleach up',
      exit: 5,
    })
  }
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new ControlError({
      code: 'NOT_YOUR_PEER',
      what: 'the peer belongs to another user',
      why: `this user may not use ${socket}`,
      cure: 'pleach up',
      exit: 6,
    })
  }
  return new ControlError({
    code: 'PEER_GONE',
    what: 'the peer went away before it had answered',
    why: error.message,
    cure: 'pleach status',
    exit: 5,
  })
}

function garbled(why: string): ControlError {
  return new ControlError({
    code: 'BAD_ANSWER',
    what: 'the answer of the peer is not understood',
    why,
    cure: 'check that the peer is of the same version: pleach --version',
    exit: 1,
  })
}
