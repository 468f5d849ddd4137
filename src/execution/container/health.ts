/** Whether a service is well: it can be connected to, or answers by HTTP. */
import type { Clock } from '../../environment.ts'
import type { HealthCheck, PortConnection, ServiceHealth } from '../executor.ts'

/** An answer is its first line; whoever sends more before it is not understood. */
const answerBytesMax = 4_096
const answerMs = 5_000

/** Null when it is well, and otherwise why not. */
export async function whatAils(
  { port, path }: HealthCheck,
  connect: (port: number, signal: AbortSignal) => Promise<PortConnection>,
  clock: Clock,
  signal: AbortSignal,
): Promise<string | null> {
  using deadline = clock.deadline(answerMs, signal)
  let connection: PortConnection | undefined
  const onAbort = (): void => connection?.close()
  deadline.signal.addEventListener('abort', onAbort, { once: true })
  try {
    connection = await connect(port, deadline.signal)
    if (path === null) return null
    await connection.send(Buffer.from(`GET ${path} HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n`))
    let text = ''
    for await (const bytes of connection.received) {
      text += Buffer.from(bytes).toString('latin1')
      const status = /^HTTP\/1\.\d (\d{3})/.exec(text)?.[1]
      if (status !== undefined) return Number(status) < 400 ? null : `${path} answers ${status}`
      if (text.length > answerBytesMax) break
    }
    return deadline.signal.aborted ? `${path} did not answer within ${answerMs} ms` : `${path} answers no HTTP`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    deadline.signal.removeEventListener('abort', onAbort)
    connection?.close()
  }
}

/**
 * Asks again and again, but not while the service is held, and tells `onHealth` each time; `onIll` is told once, when it was bad
 * too often in a row. Returns what stops that.
 */
export function tend(
  health: HealthCheck,
  connect: (port: number, signal: AbortSignal) => Promise<PortConnection>,
  clock: Clock,
  isHeld: () => boolean,
  onHealth: (health: ServiceHealth) => void,
  onIll: (why: string) => void,
): () => void {
  const over = new AbortController()
  const { failuresMax } = health
  let wasWell = false
  const tell = (failures: number): void => {
    wasWell ||= failures === 0
    onHealth({ state: failures === 0 ? 'healthy' : wasWell ? 'failing' : 'starting', failures, failuresMax })
  }
  onHealth({ state: 'starting', failures: 0, failuresMax })
  const go = async (): Promise<void> => {
    for (let failures = 0; ;) {
      await clock.sleep(health.intervalMs, over.signal)
      if (isHeld()) continue
      const ailment = await whatAils(health, connect, clock, over.signal)
      if (over.signal.aborted) return
      // What it did not answer because it was held meanwhile counts for nothing.
      if (isHeld()) continue
      failures = ailment === null ? 0 : failures + 1
      tell(failures)
      if (failures >= failuresMax) return onIll(`its health check failed ${failures} times in a row: ${ailment}`)
    }
  }
  // It ends in no other way than by its signal.
  void go().catch(() => {})
  return () => over.abort()
}
