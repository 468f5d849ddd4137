/** Who passes an audit has the shard, and an honest keeper that has it, sound, does not fail one. */
import type { Audited } from '../model/storage-watch.ts'
import type { StorageWorld } from '../model/storage-world.ts'

/** Between an answer and the end of the round it belongs to. What happened to a disk meanwhile is nobody's lie. */
const roundMsMax = 10 * 60_000

export function auditsAreTrue(world: StorageWorld): string[] {
  return world.watch.audits.flatMap((audited) => {
    const { by, peer, root, verdict, reason, atMs } = audited
    if (by.vice !== null || atMs - peer.struckMs < roundMsMax) return []
    const what = `shard ${root.slice(0, 8)} at ${peer.number}, audited by ${by.number}`
    return problemsOf(audited).map((problem) => `${what}: ${verdict} ${reason}, ${problem}`)
  })
}

function problemsOf({ peer, root, verdict, isPromised, isSound }: Audited): string[] {
  const isHonest = peer.vice === null && !peer.rotted.has(root)
  if (verdict === 'passed' && isHonest && isPromised && !isSound) return ['and it is not there, or not whole']
  if (verdict === 'passed' && peer.vice !== null && vicesWithout.has(peer.vice)) return ['and it gives none']
  if (verdict === 'failed' && isHonest && isSound) return ['and it has it']
  return []
}

/** Keepers that give nothing that is of the shard, ever. */
const vicesWithout: ReadonlySet<string> = new Set(['corrupt', 'withhold', 'pretend', 'stall'])
