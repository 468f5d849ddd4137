/** What goes wrong in one life of the storage world, drawn from the seed before it begins. After `faultsUntilMs` nothing does. */
import type { SeededRandom } from '../random.ts'
import type { StoragePeer } from './storage-peer.ts'
import type { StorageWorld } from './storage-world.ts'

/** The effect after which a peer crashes is one of so many of its next. */
const effectsMax = 120
/** How much slower than others a slow disk is. */
const slowSyncMs = [200, 3_000] as const
const shardPath = /\/shards\/..\/([0-9a-f]{64})/

export function planStorageFaults(world: StorageWorld, random: SeededRandom): void {
  const { faults, faultsUntilMs } = world.scenario
  const at = (run: () => void): void => void world.clock.after(random.between(0, faultsUntilMs), run)
  /** Its ledger is the only place where it is written what it still has to put. */
  const isNeeded = (peer: StoragePeer): boolean => world.objects.some(({ owner }) => owner === peer)
  const lastsMs = (): number => random.between(200, faults.lastsMsMax)
  const each = (max: number, plan: (peer: StoragePeer) => void): void => {
    for (let count = random.between(0, max); count > 0; count--) plan(random.pick(world.peers))
  }
  const crashOf = (peer: StoragePeer): (() => void) => {
    const how = random.chance(faults.powerShare) ? 'power' : 'process'
    const downMs = lastsMs()
    return () => {
      if (!peer.isUp || world.isHealed) return
      peer.crash(how)
      world.clock.after(downMs, () => peer.restart())
    }
  }

  each(faults.crashesMax, (peer) => at(crashOf(peer)))
  each(faults.crashesInEffectsMax, (peer) => {
    const crash = crashOf(peer)
    const effects = random.between(1, effectsMax)
    at(() => {
      let left = effects
      peer.disk.onEffect = () => {
        if (--left > 0) return
        peer.disk.onEffect = () => {}
        crash()
      }
    })
  })
  each(faults.freezesMax, (peer) => {
    const forMs = lastsMs()
    at(() => {
      peer.life.frozenUntilMs = world.clock.nowMs() + forMs
      world.note(peer.number, `freeze ${forMs}`)
    })
  })
  each(faults.diskFullMax, (peer) => {
    const forMs = lastsMs()
    at(() => {
      peer.disk.isFull = true
      world.note(peer.number, 'disk full')
      world.clock.after(forMs, () => (peer.disk.isFull = false))
    })
  })
  each(faults.slowDisksMax, (peer) => {
    const forMs = lastsMs()
    at(() => {
      const { pace } = peer.disk
      peer.disk.pace = { ...pace, syncMs: slowSyncMs, slowProbability: 0.3 }
      world.clock.after(forMs, () => (peer.disk.pace = pace))
    })
  })
  each(faults.rotsMax, (peer) => {
    at(() => {
      const path = peer.disk.rot((candidate) => shardPath.test(candidate))
      if (path === undefined) return
      peer.rotted.add(shardPath.exec(path)![1]!)
      peer.struckMs = world.elapsedMs
      world.note(peer.number, `rot ${path}`)
    })
  })
  for (let count = random.between(0, faults.cutsMax); count > 0; count--) {
    const side = new Set(world.peers.filter(() => random.chance(0.5)).map(({ name }) => name))
    const cut = { side, oneWay: random.chance(0.3) }
    const forMs = lastsMs()
    at(() => {
      world.cuts.add(cut)
      world.note(-1, 'cut')
      world.clock.after(forMs, () => world.cuts.delete(cut))
    })
  }
  each(faults.wipesMax, (peer) => at(() => (isNeeded(peer) ? undefined : peer.wipe())))
  each(faults.goneMax, (peer) =>
    at(() => {
      peer.isGone = true
      peer.crash('power')
    }),
  )
}
