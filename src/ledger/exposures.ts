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
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT lease, max(amount_micro) AS stated_micro, max(CASE WHEN countersignature IS NOT NULL THEN amount_micro ELSE 0 END) AS signed_micro,
             (SELECT amount_micro FROM settled_leases WHERE settled_leases.lease = receipts.lease) AS settled_micro
           FROM receipts WHERE other = ? AND unit = ? AND role = 'provider' GROUP BY lease`,
        )
        .all(requester, unit),
    )
    let [countersignedMicro, settledMicro] = [0n, 0n]
    const unsigned = new Map<string, bigint>()
    for (const row of rows) {
      const [stated, signed] = [BigInt(row.stated_micro as number), BigInt(row.signed_micro as number)]
      countersignedMicro += signed
      settledMicro += BigInt((row.settled_micro as number | null) ?? 0)
      if (stated > signed) unsigned.set(row.lease as string, stated - signed)
    }
    return { countersignedMicro, settledMicro, unsigned }
  }

  /** What we have countersigned for a provider, in all. */
  spentWith(provider: PeerName, unit: string): bigint {
    const rows = this.#store.read((db) =>
      db
        .prepare(
          `SELECT max(amount_micro) AS signed_micro FROM receipts
           WHERE other = ? AND unit = ? AND role = 'requester' AND countersignature IS NOT NULL GROUP BY lease`,
        )
        .all(provider, unit),
    )
    return rows.reduce((sum, row) => sum + BigInt(row.signed_micro as number), 0n)
  }
}
