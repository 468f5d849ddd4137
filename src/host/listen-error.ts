/** Turns what libp2p throws when it cannot listen (one text with a stack trace per address) into something to act on. */
import { HostError } from './errors.ts'
import { ownerOfPort } from './port-owner.ts'

/** `/ip4/127.0.0.1/tcp/4117: Error: listen EADDRINUSE: address already in use …` */
const pattern = /^\s*\/ip[46]\/([^/\s]+)\/tcp\/(\d+): .*\b(EADDRINUSE|EADDRNOTAVAIL|EACCES)\b/m

export async function listenError(error: Error): Promise<Error> {
  const [, address, portText, code] = pattern.exec(error.message) ?? []
  if (code === undefined || address === undefined) {
    if (error.name !== 'UnsupportedListenAddressesError') return error
    return new HostError(
      'LISTEN_FAILED',
      'cannot listen on any of the addresses',
      'check the listen addresses',
      {},
      error,
    )
  }
  const port = Number(portText)
  const facts = { address, port }
  if (code === 'EADDRINUSE') {
    const owner = await ownerOfPort(port)
    const who = owner === undefined ? 'another process' : `${owner.command} (pid ${owner.pid})`
    const ownerFacts = owner === undefined ? {} : { pid: owner.pid, command: owner.command }
    const cure = 'choose another port; port 0 takes any that is free'
    return new HostError(
      'PORT_IN_USE',
      `tcp/${port} on ${address} is used by ${who}`,
      cure,
      { ...facts, ...ownerFacts },
      error,
    )
  }
  const [why, cure] =
    code === 'EACCES'
      ? ['this user may not use it', 'choose a port above 1023']
      : ['this machine does not have that address', 'listen on an address of this machine, or on 0.0.0.0 for all']
  return new HostError('LISTEN_FAILED', `cannot listen on ${address} port ${port}: ${why}`, cure, facts, error)
}
