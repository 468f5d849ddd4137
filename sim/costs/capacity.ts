/** What the cost of a bid means for a network: every peer of a class hears every bid of it. */
import type { BidMeans } from './predict.ts'

/** Of one core and of the uplink of each peer, for all bids that it hears. */
export const gossipShare = 0.1
/** Of a home: 20 Mbit a second. */
const uplinkBytesPerSecond = 2_500_000
/** Of each peer. */
export const jobsPerPeerHour = 1
/** That of the message, as gossip, and that of the bid itself. */
const signaturesOfBid = 2

export interface Capacity {
  readonly gossipShare: number
  readonly jobsPerPeerHour: number
  /** To check one; live peers check each once for all of them. */
  readonly signatureMs: number
  /** What it costs over TCP with encryption, by what it costs without; 1 where that was not measured. */
  readonly overTcp: number
  /** Of the processor, a bid at one peer: as measured, and with its own checks, over TCP. */
  readonly measuredMsPerBid: number
  readonly realMsPerBid: number
  /** Of all authors together, of one class: as many as the core carries, and as the uplink does; the less of the two is the most. */
  readonly bidsPerSecondOfCore: number
  readonly bidsPerSecondOfUplink: number
  readonly bidsPerSecondMax: number
  readonly uplinkBytesPerSecond: number
  /** One topic for all work: the most peers, when each asks for so many jobs in an hour. */
  readonly peersPerClassMax: number
  readonly at: readonly {
    readonly peers: number
    /** With one topic for all work. */
    readonly bidsPerSecond: number
    readonly coreShare: number
    readonly bytesPerPeerSecond: number
    /** Topics among which work has to be shared out, each peer in one of them. */
    readonly classesNeeded: number
  }[]
}

export function capacityOf(bid: BidMeans, signatureMs: number, overTcp: number, sizes: readonly number[]): Capacity {
  const realMsPerBid = bid.cpuMsPerPeer * overTcp + signaturesOfBid * signatureMs
  const bidsPerSecondOfCore = (gossipShare * 1_000) / realMsPerBid
  const bidsPerSecondOfUplink = (gossipShare * uplinkBytesPerSecond) / bid.bytesPerPeer
  const bidsPerSecondMax = Math.min(bidsPerSecondOfCore, bidsPerSecondOfUplink)
  return {
    gossipShare,
    jobsPerPeerHour,
    signatureMs,
    overTcp,
    measuredMsPerBid: bid.cpuMsPerPeer,
    realMsPerBid,
    bidsPerSecondOfCore,
    bidsPerSecondOfUplink,
    bidsPerSecondMax,
    uplinkBytesPerSecond,
    peersPerClassMax: Math.floor((bidsPerSecondMax * 3_600) / jobsPerPeerHour),
    at: sizes.map((peers) => {
      const bidsPerSecond = (peers * jobsPerPeerHour) / 3_600
      return {
        peers,
        bidsPerSecond,
        coreShare: (bidsPerSecond * realMsPerBid) / 1_000,
        bytesPerPeerSecond: bidsPerSecond * bid.bytesPerPeer,
        classesNeeded: Math.ceil(bidsPerSecond / bidsPerSecondMax),
      }
    }),
  }
}
