/**
 * How gossipsub scores peers. Our topics are quiet: a few messages a second, and often none for minutes. So nothing is
 * asked of a mesh peer by the second, a first delivery and time together earn a little, and only unlawful messages, broken
 * promises and many peers of one address cost.
 */
import type { HostLimits, Reach } from './limits.ts'

const decayIntervalMs = 1000
const decayToZero = 0.01
/** The factor per interval with which a counter falls to `decayToZero` of itself in `ms`. */
const decayOver = (ms: number): number => decayToZero ** (decayIntervalMs / ms)
const minute = 60_000

export function peerScoreOf(reach: Reach, limits: Pick<HostLimits, 'gossipPeersPerIpMax'>) {
  return {
    decayInterval: decayIntervalMs,
    decayToZero,
    topicScoreCap: 50,
    // The default, -5 above 10 peers of one address, silences every devnet and every peer behind a large NAT.
    IPColocationFactorWeight: reach === 'public' ? -5 : 0,
    IPColocationFactorThreshold: limits.gossipPeersPerIpMax,
    // A busy honest peer breaks a promise now and then.
    behaviourPenaltyWeight: -10,
    behaviourPenaltyThreshold: 6,
    behaviourPenaltyDecay: decayOver(10 * minute),
  }
}

/** The same for every topic. An unlawful message costs 25, a second 100, and at 80 a peer is no longer listened to. */
export const topicScore = {
  topicWeight: 1,
  timeInMeshWeight: 0.01,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.5,
  firstMessageDeliveriesDecay: decayOver(10 * minute),
  firstMessageDeliveriesCap: 20,
  // Off: with few messages a second, whoever delivers none in a window would be punished for silence.
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 5000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  invalidMessageDeliveriesWeight: -25,
  invalidMessageDeliveriesDecay: decayOver(30 * minute),
}
