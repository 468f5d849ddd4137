/**
 * Addresses of peers in settings, judged by their looks: enough to say which setting is wrong before anything is started.
 * What can be dialled or listened on is decided by the host.
 */
import { isIP } from 'node:net'

const hostPattern = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/
const peerPattern = /^[1-9A-HJ-NP-Za-km-z]{40,64}$/
const examples = {
  listen: '/ip4/0.0.0.0/tcp/4117',
  bootstrap: '/ip4/203.0.113.7/tcp/4117/p2p/12D3KooW…',
  relay: '/ip4/203.0.113.7/tcp/4117/p2p/12D3KooW…',
} as const

type Use = keyof typeof examples

/** The address, trimmed. Throws a RangeError that says what is wrong with it. */
export function checkedAddress(text: string, use: Use): string {
  const trimmed = text.trim()
  const problem = problemOf(trimmed.split('/'), use)
  if (problem === undefined) return trimmed
  throw new RangeError(
    `${JSON.stringify(trimmed.slice(0, 120))} is not an address: ${problem}; write it like ${examples[use]}`,
  )
}

function problemOf(parts: readonly string[], use: Use): string | undefined {
  const [before, kind = '', host = '', transport, port = '', p2p, peer = '', ...more] = parts
  if (before !== '') return 'it begins with /'
  if (!hostFits(kind, host, use)) return `/${kind}/${host} is no host`
  if (transport !== 'tcp' || !/^\d{1,5}$/.test(port) || Number(port) > 65_535) return 'after the host comes /tcp/PORT'
  if (p2p === undefined) return use === 'relay' ? 'after the port comes /p2p/PEER' : undefined
  if (use === 'listen') return 'nothing follows the port'
  if (p2p !== 'p2p' || !peerPattern.test(peer)) return 'after the port comes nothing, or /p2p/PEER'
  if (more.length === 0 || (use === 'bootstrap' && isBehind(more))) return undefined
  return use === 'relay' ? 'nothing follows the peer' : 'after the peer comes nothing, or /p2p-circuit/p2p/PEER'
}

/** Who is reached through the peer before. */
function isBehind([circuit, p2p, peer = '', ...more]: readonly string[]): boolean {
  return circuit === 'p2p-circuit' && p2p === 'p2p' && peerPattern.test(peer) && more.length === 0
}

function hostFits(kind: string, host: string, use: Use): boolean {
  if (kind === 'ip4') return isIP(host) === 4
  if (kind === 'ip6') return isIP(host) === 6
  return use !== 'listen' && ['dns', 'dns4', 'dns6'].includes(kind) && hostPattern.test(host)
}
