/** The key under which the outputs of one lease are sealed. */
import { hkdfSync } from 'node:crypto'

const keyBytes = 32

/**
 * One key a lease, from the job's secret (HKDF, RFC 5869): a job that is run again by another provider must not seal other
 * outputs under the same key, since the nonces of segments count from 0 under each key.
 */
export function outputKeyOf(secret: Uint8Array, lease: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `pleach/outputs/1/${lease}`, keyBytes))
}
