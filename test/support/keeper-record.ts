/** The record of a peer that keeps ten bytes for others, and nothing else; as good as any other where it is only found. */
import { sealCapability, unsaid, type Capability } from '../../protocols/capability/index.ts'
import type { Signer } from '../../protocols/wire/index.ts'
import { network } from './peers.ts'

/** Lawful for ten minutes from then on. */
export function keeperRecord(issuedMs: number, over: Partial<Capability> = {}): Capability {
  return {
    sequence: 5,
    issuedMs,
    expiresMs: issuedMs + 600_000,
    withdrawn: false,
    software: '',
    ...unsaid,
    compute: null,
    storage: { keepBytes: { value: 10, evidence: 'claimed' }, termMsMax: 1 },
    runtimes: [],
    price: null,
    ...over,
  }
}

export function sealedKeeperRecord(by: Signer, issuedMs: number, over: Partial<Capability> = {}): Uint8Array {
  return sealCapability(by, network, keeperRecord(issuedMs, over))
}
