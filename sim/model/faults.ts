/** What goes wrong with peers in one life of the mesh, drawn from the seed before it begins. After `faultsUntilMs` nothing does. */
import type { SeededRandom } from '../random.ts'
import type { World } from './world.ts'

export function planFaults(world: World, random: SeededRandom): void {
  const { faults, faultsUntilMs } = world.scenario
  const at = (run: () => void): void => void world.clock.after(random.between(0, faultsUntilMs), run)
  const lastsMs = (): number => random.between(200, faults.lastsMsMax)

  for (let count = random.between(0, faults.crashesMax); count > 0; count--) {
    const peer = random.pick(world.peers)
    const downMs = lastsMs()
    at(() => {
      if (!peer.isUp) return
      peer.crash()
      world.clock.after(downMs, () => peer.restart())
    })
  }
  for (let count = random.between(0, faults.freezesMax); count > 0; count--) {
    const peer = random.pick(world.peers)
    const forMs = lastsMs()
    at(() => peer.freeze(forMs))
  }
  for (let count = random.between(0, faults.diskFullMax); count > 0; count--) {
    const peer = random.pick(world.peers)
    const forMs = lastsMs()
    at(() => {
      peer.disk.isFull = true
      world.note(peer.number, 'disk full')
      world.clock.after(forMs, () => {
        peer.disk.isFull = false
        // A peer whose ledger failed stands still until it is started again, as a person or a supervisor would.
        if (peer.isUp) peer.crash()
        peer.restart()
      })
    })
  }
  for (let count = random.between(0, faults.clockJumpsMax); count > 0; count--) {
    const peer = random.pick(world.peers)
    const byMs = random.between(-2_000, 2_000)
    at(() => peer.jumpClock(byMs))
  }
  for (let count = random.between(0, faults.cutsMax); count > 0; count--) {
    const fromMs = world.clock.nowMs() + random.between(0, faultsUntilMs)
    const side = new Set(world.peers.filter(() => random.chance(0.5)).map(({ name }) => name))
    world.network.cuts.push({ fromMs, untilMs: fromMs + lastsMs(), side, oneWay: random.chance(0.3) })
  }
}
