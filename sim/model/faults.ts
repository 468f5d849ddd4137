/** What goes wrong with peers in one life of the mesh, drawn from the seed before it begins. When the mischief is over nothing does. */
import type { SeededRandom } from '../random.ts'
import type { Divide } from './network.ts'
import type { World } from './world.ts'

const clockJumpMsMax = 2_000
/** How many of the effects that a peer has before its crash: it dies right before or after one of them. */
const effectsUntilCrashMax = 3

export function planFaults(world: World, random: SeededRandom): void {
  const { faults, faultsUntilMs } = world.scenario
  if (faultsUntilMs === 0) return
  const at = (run: () => void): void => {
    const atMs = random.between(0, faultsUntilMs)
    if (atMs < world.mischiefUntilMs) world.clock.after(atMs, run)
  }
  const lastsMs = (): number => random.between(200, faults.lastsMsMax)
  const repeat = (max: number, plan: () => void): void => {
    for (let count = max === 0 ? 0 : random.between(0, max); count > 0; count--) plan()
  }

  repeat(faults.crashesMax, () => {
    const peer = random.pick(world.peers)
    const downMs = lastsMs()
    const atEffect = random.chance(0.5) ? random.between(1, effectsUntilCrashMax) : 0
    const when = random.chance(0.5) ? 'before' : 'after'
    at(() => world.crash(peer, downMs, atEffect === 0 ? null : { effects: atEffect, when }))
  })
  repeat(faults.freezesMax, () => {
    const peer = random.pick(world.peers)
    const forMs = lastsMs()
    at(() => {
      peer.freeze(forMs)
      world.faultLasts(forMs)
    })
  })
  repeat(faults.diskFullMax, () => {
    const peer = random.pick(world.peers)
    const forMs = lastsMs()
    at(() => {
      peer.disk.isFull = true
      world.note(peer.number, 'disk full')
      world.faultLasts(forMs)
      world.clock.after(forMs, () => {
        peer.disk.isFull = false
        // A peer whose ledger failed stands still until it is started again, as a person or a supervisor would.
        peer.crash()
        peer.restart()
      })
    })
  })
  repeat(faults.clockJumpsMax, () => {
    const peer = random.pick(world.peers)
    const byMs = random.between(-clockJumpMsMax, clockJumpMsMax)
    at(() => {
      peer.jumpClock(byMs)
      world.faultLasts(0)
    })
  })
  const divide = (divides: Divide[], what: string): void => {
    const forMs = lastsMs()
    const side = new Set(world.peers.filter(() => random.chance(0.5)).map(({ number }) => number))
    const oneWay = random.chance(0.3)
    at(() => {
      const fromMs = world.clock.nowMs()
      divides.push({ fromMs, untilMs: fromMs + forMs, side, oneWay })
      world.note(-1, what, forMs)
      world.faultLasts(forMs)
    })
  }
  repeat(faults.cutsMax, () => divide(world.network.cuts, 'cut'))
  repeat(faults.clogsMax, () => divide(world.network.clogs, 'clog'))
}
