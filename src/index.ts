/** The package `pleach`: a peer to be embedded in a program. src/sdk/README.md has the rest. */
import './require-node.ts'

export { ControlError } from './control/api.ts'
export type * from './control/api.ts'
export { plainPolicy, type OfferOptions, type OfferPolicy, type Reach } from './config/options.ts'
export type { Log, LogLevel } from './environment.ts'
export type { MakeLibp2p } from './node.ts'
export { Job, JobError, type Cancellable, type JobEvent, type Outputs, type Receipt } from './sdk/job.ts'
export { createPeer, EmbeddedPeer, type CreatePeerOptions } from './sdk/peer.ts'
export type { ContainerRequest, Deployment, Provider, ProviderRequirements } from './sdk/providers.ts'
export type { ProviderWish, RunSpec } from './sdk/run-spec.ts'
