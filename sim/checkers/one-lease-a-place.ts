/** At most one award of a (job, slot, epoch), and epochs that only grow: no place is given away twice. */
import { honest, tail, type MeshChecker } from './checker.ts'
import { booksOf } from './statements.ts'

export const oneLeaseAPlace: MeshChecker = {
  name: 'one-lease-a-place',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      const places = new Map<string, string>()
      const epochs = new Map<string, number>()
      for (const [lease, { body }] of booksOf(world, peer, 'job').awards) {
        const place = `${body.job}/${body.slot}/${body.epoch}`
        const other = places.get(place)
        if (other !== undefined && other !== lease)
          wrong.push(`peer ${peer.number} awarded epoch ${body.epoch} of job ${tail(body.job)} twice`)
        places.set(place, lease)
        const highest = epochs.get(`${body.job}/${body.slot}`) ?? 0
        if (body.epoch < highest)
          wrong.push(`peer ${peer.number} awarded epoch ${body.epoch} of job ${tail(body.job)} after ${highest}`)
        epochs.set(`${body.job}/${body.slot}`, Math.max(highest, body.epoch))
      }
    }
    return wrong
  },
}
