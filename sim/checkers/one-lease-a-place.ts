/** At most one award of a (job, slot, epoch), and epochs that only grow: no place is given away twice. */
import type { Checker } from './checker.ts'
import { booksOf } from './statements.ts'

export const oneLeaseAPlace: Checker = (world) => {
  const wrong: string[] = []
  for (const peer of world.peers) {
    const places = new Map<string, string>()
    for (const [lease, { body }] of booksOf(peer, 'job').awards) {
      const place = `${body.job}/${body.slot}/${body.epoch}`
      const other = places.get(place)
      if (other !== undefined && other !== lease)
        wrong.push(`peer ${peer.number} awarded epoch ${body.epoch} of job ${body.job.slice(-4)} twice`)
      places.set(place, lease)
    }
  }
  return wrong
}
