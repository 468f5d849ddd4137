/**
 * What a host shows of itself under TLS: one certificate for all its connections, as go-libp2p does. `@libp2p/tls` makes one for each, which takes
 * as long as all else of a handshake.
 */
import { constants } from 'node:crypto'
import { createSecureContext, type SecureContext } from 'node:tls'

import type { PrivateKey } from '@libp2p/interface'
import { generateCertificate } from '@libp2p/tls/utils'

import type { Clock } from '../environment.ts'

/**
 * A certificate holds from an hour before it is made, for a hundred years. One that was made while the machine's clock was ahead would be refused by
 * all others for as long as the process lives, so there is a new one now and then.
 */
export const certificateMsMax = 60 * 60 * 1000

/** Made when it is first asked for. */
export function tlsContext(privateKey: PrivateKey, clock: Pick<Clock, 'monotonicMs'>): () => Promise<SecureContext> {
  let latest: { readonly sinceMs: number; readonly context: Promise<SecureContext> } | undefined
  return async () => {
    const nowMs = clock.monotonicMs()
    if (latest !== undefined && nowMs - latest.sinceMs < certificateMsMax) return latest.context
    const made = { sinceMs: nowMs, context: makeContext(privateKey) }
    latest = made
    try {
      return await made.context
    } catch (error) {
      if (latest === made) latest = undefined
      throw error
    }
  }
}

async function makeContext(privateKey: PrivateKey): Promise<SecureContext> {
  return createSecureContext({
    ...(await generateCertificate(privateKey)),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    // With one context for all connections OpenSSL would let a peer resume one by a ticket, in which nobody signs anything. Node keeps no
    // sessions but those in tickets, so that none can be resumed: whoever comes has shown its key.
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
}
