/**
 * The control server: HTTP on a unix socket that only this user can reach (mode 0600 in a folder of mode 0700). Whoever can
 * connect is the owner of the peer; there is no other authority.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { dirname } from 'node:path'

import { isAnswered } from '../config/context.ts'
import { makePrivateFolder } from '../config/directories.ts'
import type { Clock, Log } from '../environment.ts'
import { ControlError } from './api.ts'
import { viewOf } from './errors.ts'
import { readBody, sendError, sendJson, sendLines } from './exchange.ts'
import { findRoute, type Household } from './routes.ts'

/** Requests of one owner at once: more is a program gone wild. */
const connectionsMax = 256
/** A request comes from this machine and has at most a mebibyte. */
const requestWithinMs = 30_000
/** How long an answer that is under way may take to end when the server closes. */
const closeWithinMs = 1_000

export interface ControlServer {
  /** Ends every stream, then resolves once the socket is gone. */
  close(): Promise<void>
}

/**
 * Listens. A socket file that nobody answers on is removed: its peer died. One that is answered is not ours to take, nor is
 * a file that is no socket: ControlError SOCKET_IN_USE.
 */
export async function serveControl(
  socket: string,
  house: Household,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<ControlServer> {
  makePrivateFolder(dirname(socket))
  await clearSocket(socket)
  const closing = new AbortController()
  const server = createServer((request, response) => {
    void exchange(request, response, house, closing.signal, log)
  })
  server.maxConnections = connectionsMax
  server.requestTimeout = requestWithinMs
  await listen(server, socket)
  chmodSync(socket, 0o600)
  return {
    async close() {
      closing.abort(stopping())
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeIdleConnections()
      const cancel = clock.after(closeWithinMs, () => server.closeAllConnections())
      await closed.promise
      cancel()
    },
  }
}

async function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  house: Household,
  closing: AbortSignal,
  log: Log,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort(new Error('the client is gone')))
  const signal = AbortSignal.any([gone.signal, closing])
  try {
    const url = new URL(request.url ?? '/', 'http://peer')
    const { route, id } = findRoute(request.method ?? '', url.pathname)
    const answer = await route.answer(house, {
      id,
      query: url.searchParams,
      body: async () => readBody(request),
      signal,
    })
    if ('json' in answer) sendJson(response, answer.json)
    else await sendLines(response, answer.lines, signal)
  } catch (thrown) {
    if (gone.signal.aborted) return
    const error: unknown = closing.aborted ? closing.reason : thrown
    const { code, why } = viewOf(error).error
    if (code === 'FAULT') log('error', 'a control request failed', { method: request.method, url: request.url, why })
    sendError(response, error)
  }
}

async function listen(server: Server, socket: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(inUse(socket, error.message)))
    server.listen(socket, resolve)
  })
}

async function clearSocket(socket: string): Promise<void> {
  const found = lstatSync(socket, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw inUse(socket, 'there is a file of that name, and it is no socket')
  if (await isAnswered(socket)) throw inUse(socket, 'another peer answers there')
  unlinkSync(socket)
}

function stopping(): ControlError {
  return new ControlError({
    code: 'PEER_STOPPING',
    what: 'the peer is stopping',
    why: 'it was asked to, and answers nothing more',
    cure: 'pleach up',
    exit: 5,
  })
}

function inUse(socket: string, why: string): ControlError {
  return new ControlError({
    code: 'SOCKET_IN_USE',
    what: `the control socket ${socket} cannot be had`,
    why,
    cure: 'pleach up --profile another',
    exit: 6,
  })
}
