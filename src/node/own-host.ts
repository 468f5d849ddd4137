/** The host of a peer: what its owner chose, and what peers keep on the bulletin. */
import { capabilityRules } from '../../protocols/capability/index.ts'
import { placementRules } from '../../protocols/placement/index.ts'
import type { Fault, PeerName } from '../../protocols/wire/index.ts'
import type { PeerOptions } from '../config/options.ts'
import { createHost, type Host, type HostEnvironment } from '../host/index.ts'
import type { PeerPorts } from './ports.ts'

type Environment = Omit<HostEnvironment, 'onFault'> & { readonly onFault: (peer: PeerName, fault: Fault) => void }

export async function createOwnHost(
  { network, reach, listen, bootstrap, relay }: PeerOptions,
  { createHost: make = createHost, libp2p }: PeerPorts,
  environment: Environment,
): Promise<Host> {
  const { signer } = environment.identity
  const records = [capabilityRules(signer, network), placementRules(signer, network)]
  return make(
    { network, reach, listen, bootstrap, relay, records },
    {
      ...environment,
      ...(libp2p === undefined ? {} : { libp2p }),
      onFault: (peer, _protocol, fault) => environment.onFault(peer, fault),
    },
  )
}
