/**
 * Bonds: a lease forfeits once over all statements of an account, never more than its award says, and never by a peer that is not shown
 * to have signed two things.
 */
import { forfeitOf, openAgreed, openForfeit } from '../../protocols/settle/index.ts'
import type { ModelPeer } from '../model/peer.ts'
import { honest, type Checker } from './checker.ts'

export const bondsAreProven: Checker = {
  name: 'bonds-are-proven',
  atEnd(world) {
    if (!world.settles) return []
    return honest(world).flatMap((peer) =>
      [...(peer.accounts?.books.partners() ?? [])].flatMap(({ peer: name, unit }) =>
        wrongOf(peer, name, unit).map((what) => `peer ${peer.number} with ${name.slice(-6)}: ${what}`),
      ),
    )
  },
}

function wrongOf(peer: ModelPeer, name: string, unit: string): string[] {
  const { books } = peer.accounts!
  const { notary } = peer.plan
  const wrong: string[] = []
  const claims = new Map(
    peer.claims.map((claim) => [claim.lease, forfeitOf(openForfeit(notary, claim.proof)).bondMicro] as const),
  )
  const taken = new Set<string>()
  for (let number = 1; ; number++) {
    const agreed = books.agreed(name, unit, number)
    if (agreed === undefined) return wrong
    for (const { lease, provider, bondMicro } of openAgreed(notary, agreed).statement.body.forfeits) {
      const about = `statement ${number} forfeits ${bondMicro} of lease ${lease.slice(0, 6)}`
      if (taken.has(lease)) wrong.push(`${about} again`)
      taken.add(lease)
      if (provider === peer.name) wrong.push(`${about}, which was worked honestly`)
      else if (claims.get(lease) !== bondMicro) wrong.push(`${about}, and ${claims.get(lease) ?? 'nothing'} is proven`)
    }
  }
}
