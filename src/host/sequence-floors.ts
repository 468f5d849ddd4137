/**
 * The floor of the sequence number of each record we stored or relied on. kad-dht's PUT_VALUE overwrites without
 * comparing, so that anybody who kept an old signed record can put it back; a selector does not help, because only a
 * reader runs it. The floors are what remembers. The real ones are durable, and are implemented beside the ledger.
 */
import { equals } from 'uint8arrays'

export interface SequenceFloors {
  /**
   * Whether a record of this sequence number may stand: it is above the floor, or is the very record that made the floor.
   * Raises the floor when it is above, durably before it returns.
   */
  accepts(key: string, sequence: number, hash: Uint8Array): boolean
}

/** Floors that last as long as the process: for tests and simulations. */
export function memorySequenceFloors(): SequenceFloors {
  const floors = new Map<string, { readonly sequence: number; readonly hash: Uint8Array }>()
  return {
    accepts(key, sequence, hash) {
      const floor = floors.get(key)
      if (floor !== undefined && sequence < floor.sequence) return false
      if (floor?.sequence === sequence) return equals(floor.hash, hash)
      floors.set(key, { sequence, hash })
      return true
    },
  }
}
