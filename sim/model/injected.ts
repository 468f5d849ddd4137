/**
 * Faults at one exact place of a life: this frame, this effect. As text `drop:12`, `double:12`, `delay:12` (frame 12 of the network) and
 * `crash:2:before:40` (peer 2 dies right before the world's effect 40, and is started again).
 */
import type { Fate } from './network.ts'
import type { World } from './world.ts'

export type InjectedFault =
  | { readonly what: Exclude<Fate, undefined>; readonly frame: number }
  | { readonly what: 'crash'; readonly peer: number; readonly when: 'before' | 'after'; readonly effect: number }

/** How long a peer is away, and how long a fated frame may trouble the others: the protocols' longest retransmission. */
const downMs = 2_000
const fateLastsMs = 6_000

export function inject(world: World, faults: readonly InjectedFault[]): void {
  const fates = new Map<number, Fate>()
  for (const fault of faults) if (fault.what !== 'crash') fates.set(fault.frame, fault.what)
  if (fates.size > 0) {
    world.network.fateOf = (frame) => {
      const fate = fates.get(frame)
      if (fate !== undefined) world.faultLasts(fateLastsMs)
      return fate
    }
  }
  const crashes = faults.filter((fault) => fault.what === 'crash')
  if (crashes.length === 0) return
  world.atEffect = (_peer, effect, when) => {
    for (const crash of crashes) {
      if (crash.effect === effect && crash.when === when) world.crash(world.peers[crash.peer]!, downMs, null)
    }
  }
}

export function formatFault(fault: InjectedFault): string {
  return fault.what === 'crash' ? `crash:${fault.peer}:${fault.when}:${fault.effect}` : `${fault.what}:${fault.frame}`
}

/** Undefined when the text is none. */
export function parseFault(text: string): InjectedFault | undefined {
  const fated = /^(drop|double|delay):(\d+)$/.exec(text)
  if (fated !== null) return { what: fated[1] as Exclude<Fate, undefined>, frame: Number(fated[2]) }
  const crash = /^crash:(\d+):(before|after):(\d+)$/.exec(text)
  if (crash === null) return undefined
  return { what: 'crash', peer: Number(crash[1]), when: crash[2] as 'before' | 'after', effect: Number(crash[3]) }
}
