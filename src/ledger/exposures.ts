/** What a requester owes us, and what we have signed for a provider, by what is written down. */
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Store } from './store.ts'

export interface ExposureEntry {
  /** The last amounts that both have signed, over all of its leases. */
  readonly countersignedMicro: bigint
  /** Of that, what agreed statements have taken in. */
  readonly settledMicro: bigint
  /** By lease: what our last receipt states beyond the last that it has signed. Leases without are left out. */
  readonly unsigned: ReadonlyMap<string, bigint>
}

export class Exposures {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Of one requester: signed by both, settled, and given out without an answer. */
  of(requester: PeerName, unit: string): ExposureEntry {
    const [sums, open] = this.#store.read((db) => [
      db
        .prepare(
          `SELECT CAST(coalesce(sum(signed_micro), 0) AS TEXT) AS signed_micro, CAST(coalesce(sum(settled_micro), 0) AS TEXT) AS settled_micro
           FROM lease_totals WHERE other = ? AND unit = ? AND role = 'provider'`,
        )
        .get(requester, unit)!,
      db
        .prepare(
          `SELECT lease, stated_micro - signed_micro AS unsigned_micro
           FROM lease_totals WHERE other = ? AND unit = ? AND role = 'provider' AND stated_micro > signed_micro`,
        )
        .all(requester, unit),
    ])
    return {
      countersignedMicro: BigInt(sums.signed_micro as string),
      settledMicro: BigInt(sums.settled_micro as string),
      unsigned: new Map(open.map((row) => [row.lease as string, BigInt(row.unsigned_micro as number)])),
    }
  }

  /** What all requesters together have signed for us. */
  earned(unit: string): bigint {
    return this.#signed(`unit = ? AND role = 'provider'`, unit)
  }

  /** What we have countersigned for a provider, in all. */
  spentWith(provider: PeerName, unit: string): bigint {
    return this.#signed(`other = ? AND unit = ? AND role = 'requester'`, provider, unit)
  }

  #signed(where: string, ...values: string[]): bigint {
    const sql = `SELECT CAST(coalesce(sum(signed_micro), 0) AS TEXT) AS micro FROM lease_totals WHERE ${where}`
    const row = this.#store.read((db) => db.prepare(sql).get(...values))
    return BigInt(row!.micro as string)
  }
}
