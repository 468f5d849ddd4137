/** Leases that are billed, as both sides of a trade have them. They were never negotiated. */
import { fromString, toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import type { BilledLease } from '../../protocols/receipt/index.ts'
import { cidOfDocument, freeTariff, sha256, type PeerName } from '../../protocols/wire/index.ts'
import { createSigner } from '../../src/host/signer.ts'

export const network = 'bench'

export function notaryNamed(name: string): Notary {
  return { network, signer: createSigner(sha256(fromString(name))) }
}

/** `intervalMs`: between two receipts; it does not grow. */
export function leaseBetween(provider: PeerName, requester: PeerName, name: string, intervalMs: number): BilledLease {
  return {
    id: toString(sha256(fromString(`lease ${name}`)), 'hex'),
    job: cidOfDocument(fromString(`job ${name}`)),
    slot: 0,
    epoch: 1,
    requester,
    provider,
    unit: 'credit',
    ...freeTariff,
    cpuHourMicro: 1_000_000,
    cpuMilli: 1_000,
    memoryBytes: 2 ** 26,
    diskBytes: 0,
    gpus: 0,
    ceilingMicro: Number.MAX_SAFE_INTEGER,
    paymentIntervalMs: intervalMs,
    paymentIntervalMsMax: intervalMs,
    expiresMs: Number.MAX_SAFE_INTEGER,
  }
}
