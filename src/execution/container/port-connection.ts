/**
 * The way to a port of a service: a program of ours, run in the guard's container, which shares the network of the service's,
 * connects to the port there and joins it with its standard streams. Nothing is published on the machine, so nobody else on it or
 * on its network can reach the port; and the service needs no network but its own loopback.
 */
import type { Duplex } from 'node:stream'

import { z } from 'zod'

import type { PortConnection } from '../executor.ts'
import type { Engine } from './engine.ts'
import { leastProgram } from './least-image.ts'
import { LogFrames, type LogPiece } from './log-frames.ts'

const execSchema = z.object({ Id: z.string().regex(/^[0-9a-f]{12,64}$/) })

/** `container`: name or id of one that shares the program's network, and has the least program. */
export async function connectToPort(
  engine: Engine,
  container: string,
  port: number,
  signal: AbortSignal,
): Promise<PortConnection> {
  const command = [leastProgram, 'connect', 'to', String(port)]
  const { Id } = execSchema.parse(
    await engine.ask('POST', `/containers/${container}/exec`, {
      body: { AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false, Cmd: command },
      signal,
    }),
  )
  const streams = await engine.attach(`/exec/${Id}/start`, { body: { Detach: false, Tty: false }, signal })
  const pieces = piecesOf(streams)
  const onAbort = (): void => void streams.destroy()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    const first = await pieces.next()
    signal.throwIfAborted()
    // The program says on its stderr that it is connected, and ends without a word when it is not.
    if (first.done === true || first.value.stream !== 'stderr') throw new Error(`nobody listens on port ${port}`)
  } catch (error) {
    streams.destroy()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
  return {
    received: contentOf(pieces),
    async send(bytes) {
      if (streams.destroyed) throw new Error('the connection is closed')
      if (streams.write(bytes)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      for (const event of ['drain', 'close']) streams.once(event, resolve)
      await promise
      for (const event of ['drain', 'close']) streams.off(event, resolve)
    },
    end: () => void streams.end(),
    close: () => void streams.destroy(),
  }
}

async function* piecesOf(streams: Duplex): AsyncGenerator<LogPiece> {
  const frames = new LogFrames()
  for await (const chunk of streams as AsyncIterable<Uint8Array>) yield* frames.push(chunk)
}

async function* contentOf(pieces: AsyncIterable<LogPiece>): AsyncGenerator<Uint8Array> {
  for await (const { stream, bytes } of pieces) if (stream === 'stdout') yield bytes
}
