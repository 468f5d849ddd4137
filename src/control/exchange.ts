/** One HTTP exchange of the control server: a body within its cap, an answer as JSON, a stream with back-pressure. */
import type { IncomingMessage, ServerResponse } from 'node:http'

import { ControlError } from './api.ts'
import { statusOf, viewOf } from './errors.ts'

/** A job with the longest arguments that a manifest takes, and room for its JSON. */
export const bodyBytesMax = 1024 * 1024

/** The JSON object that was sent. Throws a ControlError BODY_TOO_LARGE or BAD_JSON. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  // A reader that stops early must not destroy the socket: the answer goes out by it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > bodyBytesMax) throw bodyTooLarge()
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown
  } catch (error) {
    throw new ControlError({
      code: 'BAD_JSON',
      what: 'the body is not JSON',
      why: error instanceof Error ? error.message : String(error),
      cure: 'send one JSON object',
      exit: 2,
    })
  }
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.byteLength })
  response.end(body)
}

/** After the head of a stream has been sent, the error is its last line. */
export function sendError(response: ServerResponse, thrown: unknown): void {
  const view = viewOf(thrown)
  if (response.headersSent) {
    response.end(`${JSON.stringify(view)}\n`)
    return
  }
  // Closing on somebody who still writes would lose the answer: they see a broken pipe. So what is left of the body is
  // thrown away as it comes, until they have read why and close, or the time for a request is over.
  if (!response.req.complete) response.setHeader('connection', 'keep-alive')
  sendJson(response, view, statusOf(view))
}

/** Writes each event as a line, and asks for the next only when there is room. Returns when the client is gone, too. */
export async function sendLines(
  response: ServerResponse,
  events: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = events[Symbol.asyncIterator]()
  try {
    // The head waits for the first event, so that an unknown job is a 404 and not a stream with an error in it.
    let next = await iterator.next()
    response.writeHead(200, { 'content-type': 'application/x-ndjson' })
    for (; next.done !== true && !signal.aborted; next = await iterator.next()) {
      if (!response.write(`${JSON.stringify(next.value)}\n`)) await drained(response, signal)
    }
    response.end()
  } finally {
    await iterator.return?.()
  }
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  response.once('drain', resolve)
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
}

function bodyTooLarge(): ControlError {
  return new ControlError({
    code: 'BODY_TOO_LARGE',
    what: 'the request is too large',
    why: `a body has at most ${bodyBytesMax} bytes`,
    cure: 'put large data into files and send their paths',
    exit: 2,
  })
}
