/** All that a ledger has of signed statements, those in the rows of receipts too, for who looks at it from outside. */
import type { DatabaseSync } from 'node:sqlite'

import type { PeerName } from '../protocols/wire/index.ts'

export interface SignedRow {
  /** Which side it is of: `lease/…` or `job/…`, and of what settling wrote down `settle/…`. */
  readonly machine: string
  readonly kind: string
  readonly signer: PeerName
  readonly envelope: Uint8Array
}

/** In the order in which they were written down; a countersignature comes right after its receipt. `self`: whose ledger it is. */
export function signedRows(db: DatabaseSync, self: PeerName): SignedRow[] {
  return db
    .prepare(
      `WITH halves AS (SELECT *, CASE role WHEN 'provider' THEN 'lease/' || lease ELSE 'job/' || job END AS machine FROM receipts)
       SELECT machine, kind, signer, envelope FROM (
         SELECT machine, statements.kind, signer, envelope, coalesce(position, 9e15) AS place, statements.rowid AS row
         FROM statements LEFT JOIN chain ON chain.hash = statements.hash
         UNION ALL
         SELECT machine, 'receipt', CASE role WHEN 'provider' THEN :self ELSE other END, envelope, position, 0 FROM halves
         UNION ALL
         SELECT machine, 'countersignature', CASE role WHEN 'provider' THEN other ELSE :self END, countersignature, position + 0.5, 0
         FROM halves WHERE countersignature IS NOT NULL)
       ORDER BY place, row`,
    )
    .all({ self }) as unknown as SignedRow[]
}
