/** What libp2p calls metrics, of which only what was sent is counted: bytes by protocol, and bytes on the wire. */
import type { Metrics, MultiaddrConnection, Stream } from '@libp2p/interface'

import type { TrafficWatch } from './watch.ts'

const nothing = (): void => {}
/** Every instrument that libp2p registers, and that nobody reads. */
const instrument = {
  update: nothing,
  increment: nothing,
  decrement: nothing,
  observe: nothing,
  reset: nothing,
  timer: () => nothing,
}
const register = (): typeof instrument => instrument

/** For libp2p's `metrics`. Streams are counted from when it is agreed what they are for; the wire is, from its first byte. */
export function trafficMetrics(watch: TrafficWatch): () => Metrics {
  const metrics = {
    trackMultiaddrConnection(connection: MultiaddrConnection) {
      countSends(connection, (bytes) => watch.onWire(bytes))
    },
    trackProtocolStream(stream: Stream) {
      const { protocol } = stream
      if (stream.direction === 'inbound') watch.onTaken(protocol)
      countSends(stream, (bytes) => watch.onSent(protocol, bytes))
    },
    registerMetric: register,
    registerMetricGroup: register,
    registerCounter: register,
    registerCounterGroup: register,
    registerHistogram: register,
    registerHistogramGroup: register,
    registerSummary: register,
    registerSummaryGroup: register,
    createTrace: nothing,
    traceFunction: (_name: string, run: unknown) => run,
  }
  // The types tell a group from one instrument; here they are the same.
  return () => metrics as Metrics
}

function countSends(to: Pick<Stream, 'send'>, count: (bytes: number) => void): void {
  const send = to.send.bind(to)
  to.send = (data) => {
    count(data.byteLength)
    return send(data)
  }
}
