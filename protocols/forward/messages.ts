/** What is said of one TCP connection to a service. */
import type { ProtocolLimits, Refusal } from '../wire/index.ts'

export const forwardProtocol = '/pleach/forward/1'
export const forwardDataBytesMax = 32 * 1024
export const forwardLimits: ProtocolLimits = { frameBytesMax: 33 * 1024, streamsPerPeerMax: 32 }
/** Connections that a provider carries at once. */
export const forwardsMax = 64
export const forwardOpenMs = 15_000
/** A connection on which nothing moved for so long, in either direction, is closed. */
export const forwardIdleMs = 600_000
export const portMax = 65_535

export type Forward =
  /** `lease` is the lease's id as hex. */
  | { readonly say: 'open'; readonly lease: string; readonly port: number }
  | { readonly say: 'opened' }
  | { readonly say: 'refused'; readonly refusal: Refusal }
  | { readonly say: 'data'; readonly bytes: Uint8Array }
  | { readonly say: 'end' }
