/** Ports of services: those that run here are connected to, and those of our own jobs are reached by a port of this machine. */
import { createServer, type Server, type Socket } from 'node:net'

import { decodeJobManifest, type JobManifest } from '../../protocols/execute/index.ts'
import {
  createForward,
  type Connect,
  type ConnectionEnd,
  type ForwardService,
  type ForwardTimekeeper,
} from '../../protocols/forward/index.ts'
import { RefusedError, refusal, type PeerName, type Streams } from '../../protocols/wire/index.ts'
import { ControlError, type ForwardEvent, type JobView } from '../control/api.ts'
import type { Log } from '../environment.ts'
import type { Executor } from '../execution/executor.ts'
import type { LeaseState } from '../market/lease-machine.ts'
import { isOver } from './views.ts'

/** Local connections of one forwarded port: as many as its provider takes. */
const connectionsMax = 32
/** Events that nobody has read yet; beyond, the oldest go. */
const eventsMax = 256
/** How often it is looked whether the lease or the job is over. */
const lookMs = 1_000

export interface ForwardsDeps {
  readonly host: { readonly streams: Streams }
  readonly clock: ForwardTimekeeper
  readonly log: Log
  readonly executors: { readonly executor: Executor }
  /** What runs here for others. */
  readonly provider: { leases(): readonly LeaseState[] }
  readonly book: { find(id: string): JobView }
}

export class Forwards {
  readonly #deps: ForwardsDeps
  readonly #service: ForwardService

  constructor(deps: ForwardsDeps) {
    this.#deps = deps
    this.#service = createForward({ streams: deps.host.streams, timekeeper: deps.clock, connect: this.#connect })
  }

  async serve(): Promise<void> {
    await this.#service.serve()
  }

  /** Throws a ControlError for a job that is not at work, and for a local port that cannot be had. */
  async *listen(
    job: string,
    { port, local }: { readonly port: number; readonly local: number },
    signal: AbortSignal,
  ): AsyncGenerator<ForwardEvent> {
    const { clock } = this.#deps
    const view = this.#deps.book.find(job)
    if (view.role !== 'requester' || view.stage !== 'running') throw notRunning(view)
    const done = new AbortController()
    const until = AbortSignal.any([signal, done.signal])
    const events: ForwardEvent[] = []
    let wake = (): void => {}
    const tell = (event: ForwardEvent): void => {
      if (events.length >= eventsMax) events.shift()
      events.push(event)
      wake()
    }
    let open = 0
    // Half-closed sockets stay: what is asked may be over before what is answered.
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      tell({ type: 'connected', port: at, open: ++open })
      void this.#carry(job, port, socket, until)
        .catch((error: unknown) => {
          const code = error instanceof RefusedError ? error.code : 'UNREACHABLE'
          if (!until.aborted) tell({ type: 'refused', port: at, code, why: String((error as Error).message) })
        })
        .finally(() => {
          socket.destroy()
          tell({ type: 'closed', port: at, open: --open })
        })
    })
    server.maxConnections = connectionsMax
    const at = await listening(server, local)
    const onEnd = (): void => wake()
    until.addEventListener('abort', onEnd, { once: true })
    let cancelLook = (): void => {}
    const look = (): void => {
      if (isOver(this.#deps.book.find(job).stage)) done.abort()
      else cancelLook = clock.after(lookMs, look)
    }
    look()
    try {
      yield { type: 'listening', port: at }
      while (!until.aborted || events.length > 0) {
        const event = events.shift()
        if (event !== undefined) yield event
        else
          await new Promise<void>((resolve) => {
            wake = resolve
            if (until.aborted || events.length > 0) resolve()
          })
      }
      if (!signal.aborted) yield { type: 'end', job: this.#deps.book.find(job) }
    } finally {
      cancelLook()
      done.abort()
      until.removeEventListener('abort', onEnd)
      server.close()
    }
  }

  async #carry(job: string, port: number, socket: Socket, until: AbortSignal): Promise<void> {
    // A reset comes as the end of the stream, too; without a listener it would end the peer.
    socket.on('error', () => {})
    const { provider, lease } = this.#deps.book.find(job)
    if (provider === null || lease === null) throw new RefusedError(refusal('LEASE_UNKNOWN'))
    const connection = await this.#service.open(provider.peer, lease, port, until)
    await connection.carry(endOf(socket), until)
  }

  readonly #connect: Connect = async (from, lease, port, signal) => {
    const { log, clock } = this.#deps
    const { executor } = this.#deps.executors
    const manifest = this.#manifestOf(from, lease)
    if (manifest === undefined || executor.connect === undefined) return refusal('LEASE_UNKNOWN')
    if (manifest.container?.service?.ports.includes(port) !== true) return refusal('PORT_NOT_EXPOSED', { port })
    let end: ConnectionEnd
    try {
      end = await executor.connect(lease, port, signal)
    } catch (error) {
      signal.throwIfAborted()
      log('debug', 'a port of a service could not be connected to', { lease, port, error })
      return refusal('PORT_CLOSED', { port })
    }
    const over = new AbortController()
    const look = (): void => {
      if (over.signal.aborted) return
      if (this.#manifestOf(from, lease) === undefined) over.abort(new Error('the lease is over'))
      else cancel = clock.after(lookMs, look)
    }
    let cancel = clock.after(lookMs, look)
    const close = (): void => {
      cancel()
      over.abort()
      end.close()
    }
    return { end: { ...end, close }, over: over.signal }
  }

  /** Of a lease of that peer's whose program runs here. */
  #manifestOf(from: PeerName, lease: string): JobManifest | undefined {
    for (const { hold, task } of this.#deps.provider.leases()) {
      if (hold.at !== 'leased' || hold.lease.id !== lease || hold.requester !== from || task?.at !== 'running') continue
      return decodeJobManifest(hold.lease.award.body.manifest)
    }
    return undefined
  }
}

function endOf(socket: Socket): ConnectionEnd {
  return {
    received: socket as AsyncIterable<Uint8Array>,
    async send(bytes) {
      if (socket.destroyed) throw new Error('the connection is closed')
      if (socket.write(bytes)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      for (const event of ['drain', 'close']) socket.once(event, resolve)
      await promise
      for (const event of ['drain', 'close']) socket.off(event, resolve)
    },
    end: () => void socket.end(),
    close: () => void socket.destroy(),
  }
}

async function listening(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new ControlError({
          code: 'PORT_TAKEN',
          what: `port ${port} of 127.0.0.1 cannot be had`,
          why: error.message,
          cure: 'pleach forward JOB 0:80 takes any that is free',
          exit: 2,
        }),
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

function notRunning({ id, role, stage }: JobView): ControlError {
  return new ControlError({
    code: 'NOT_RUNNING',
    what: `job ${id.slice(-8)} cannot be connected to`,
    why: role === 'requester' ? `it is ${stage}` : 'it is work for another peer',
    cure: 'pleach jobs',
    exit: 2,
  })
}
