/** How this peer decides for one of its jobs: whom to award, whose work is compared, and whether others are waited for. */
import type { Award, Notary, Offer } from '../../protocols/negotiate/index.ts'
import type { PeerName, Signed } from '../../protocols/wire/index.ts'
import type { Random } from '../environment.ts'
import type { JobContext } from './job-state.ts'
import { isToCheck, mayCheck } from './probation.ts'
import { chooseOffers, isKnown, strangerStanding, type Acquaint, type Choice, type Company } from './rank.ts'
import type { JobTerms } from './terms.ts'

export interface ContextDeps {
  readonly notary: Notary
  readonly random: Random
  readonly acquaint: Acquaint
  readonly company: Company
}

/**
 * Who knows somebody and finds that two of three strangers do well does not wait for those it knows: waiting means that everybody answers.
 * After the first success it is two of three, after one disappointment no more.
 */
const easyTrustMin = 0.6

/** `mayCommit`: whether this job may be given to a peer beside what it holds already. */
export function contextOf(
  { notary, random, acquaint, company }: ContextDeps,
  { requirements, ceilingMicro }: JobTerms,
  mayCommit: (by: PeerName) => boolean,
): JobContext {
  const probation = { requirements, ceilingMicro }
  const about = (peer: PeerName) => acquaint(peer, requirements.runtime)
  const roll = () => random.float()
  return {
    notary,
    choose: (choice: Choice) => {
      const offers = choice.offers.filter(({ by }) => mayCommit(by))
      return chooseOffers({ ...choice, offers }, acquaint, { roll, trustInStrangers: () => company.trustInStrangers() })
    },
    isToCheck: (award: Award) => isToCheck(award, about(award.provider), probation, roll),
    mayRedo: (award: Award) => about(award.provider).checkShare >= 1 && company.takeRedo(),
    mayCheck: ({ by, body }: Signed<Offer>, award: Award) =>
      mayCheck(body, about(by), award, about(award.provider), probation),
    // Of strangers alone as long as they hardly disappoint, or where there is nobody better to wait for.
    isChoice: (peer: PeerName) => {
      const trust = company.trustInStrangers()
      const mayBeAnybody = company.knowsAnybody() ? trust > easyTrustMin : trust >= strangerStanding
      return mayBeAnybody || isKnown(about(peer))
    },
  }
}
