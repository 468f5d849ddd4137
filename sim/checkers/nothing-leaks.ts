/** When all is over nobody holds capacity any more, nothing waits in a queue, and what is kept in memory is within its limits. */
import { honest, type Checker } from './checker.ts'

/** Inputs that waited for one machine at any time. A flood is dropped before: this is far below the reactor's own limit. */
const queuedMax = 512

export const nothingLeaks: Checker = {
  name: 'nothing-leaks',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const { provider, requester, number } = peer
      if (!peer.isUp) wrong.push(`peer ${number} is not up again`)
      if (provider.inUse().cpuMilli > 0) wrong.push(`peer ${number} still holds ${provider.inUse().cpuMilli} cpu-milli`)
      for (const { name, queued } of [
        { name: 'provider', queued: provider.queued },
        { name: 'requester', queued: requester.queued },
      ]) {
        if (queued.now > 0) wrong.push(`${queued.now} inputs wait at the ${name} of peer ${number}`)
        if (queued.most > queuedMax) wrong.push(`${queued.most} inputs waited at the ${name} of peer ${number}`)
      }
    }
    return wrong
  },
}
