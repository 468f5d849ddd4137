/** What goes wrong in a live run, done to its peers at the planned times and undone again. */
import { realClock } from '../../../src/environment.ts'
import type { LivePeer } from '../live-peer.ts'
import type { LiveWorld } from '../world.ts'
import type { PlannedFault } from './plan.ts'

/** A fault as it happened, to the peers of one process. Times are milliseconds since the run began. */
export interface FaultSpan {
  /** Its place in the plan. */
  readonly fault: number
  readonly atMs: number
  untilMs: number | null
}

/** A peer that has crashed is not back sooner: a supervisor takes a moment. */
const awayMsMin = 300

export class Faults {
  readonly spans: FaultSpan[] = []
  readonly #world: LiveWorld
  readonly #elapsedMs: () => number

  constructor(world: LiveWorld, elapsedMs: () => number) {
    this.#world = world
    this.#elapsedMs = elapsedMs
  }

  /** When the last one ended; 0 when there was none. */
  get lastMs(): number {
    return Math.max(0, ...this.spans.map(({ atMs, untilMs }) => untilMs ?? atMs))
  }

  /**
   * Resolves when it is over, or, when the signal fires, once it is undone. Peers that are elsewhere are left to those that have
   * them; `place` is its own in the plan.
   */
  async run(fault: PlannedFault, place: number, signal: AbortSignal): Promise<void> {
    const { what, forMs } = fault
    const named = new Set(fault.peers)
    const peers = this.#world.peers.filter(({ index }) => named.has(index))
    if (peers.length === 0) return
    const span: FaultSpan = { fault: place, atMs: this.#elapsedMs(), untilMs: null }
    this.spans.push(span)
    const undo = await this.#do(fault, peers)
    if (forMs === 0) return
    // The signal ends the wait, and not the mending.
    await realClock
      .sleep(what === 'restart' || what === 'lose-disk' ? Math.max(awayMsMin, forMs) : forMs, signal)
      .catch(() => {})
    await undo()
    span.untilMs = this.#elapsedMs()
  }

  async #do(
    { what, peers: indexes, byMs, factor }: PlannedFault,
    peers: readonly LivePeer[],
  ): Promise<() => Promise<void> | void> {
    const { net } = this.#world
    const ips = peers.map(({ place }) => place.ip)
    const back = async (): Promise<void> => void (await Promise.all(peers.map(async (peer) => peer.restart())))
    switch (what) {
      case 'leave':
        await Promise.all(peers.map(async (peer) => peer.leave()))
        return back
      case 'freeze':
        for (const peer of peers) peer.freeze()
        return () => peers.forEach((peer) => peer.thaw())
      case 'restart':
        for (const peer of peers) peer.crash()
        return back
      case 'lose-disk':
        for (const peer of peers) peer.crash()
        await Promise.all(peers.map(async (peer) => peer.loseDisk()))
        return back
      case 'disk-full':
        for (const peer of peers) peer.disk.isFull = true
        return async () => {
          for (const peer of peers) {
            peer.disk.isFull = false
            // A peer whose ledger failed stands still until it is started again, as a person or a supervisor would.
            peer.crash()
          }
          await back()
        }
      case 'clock':
        for (const peer of peers) peer.clock.aheadMs += byMs
        return () => {
          for (const peer of peers) peer.clock.aheadMs -= byMs
        }
      case 'partition': {
        const side = new Set(indexes)
        const others = this.#world.peers.filter(({ index }) => !side.has(index)).map(({ place }) => place.ip)
        return net!.partition([ips, others])
      }
      case 'one-way':
        return net!.mute(ips)
      case 'slow':
        return net!.slow(ips, factor)
      case 'nat':
        return net!.nat(ips)
    }
  }
}
