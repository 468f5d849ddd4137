/** The tables, as forward-only steps. A step that was released is never changed; a new one is added at the end. */
import type { DatabaseSync } from 'node:sqlite'

import { LedgerError } from './ledger-error.ts'

export const ledgerSteps: readonly string[] = [
  `
  -- Machines of jobs and leases, as plain data (DAG-CBOR), so that a restart takes up what a crash interrupted.
  CREATE TABLE machine_states (
    kind TEXT NOT NULL, id TEXT NOT NULL, state BLOB NOT NULL, final INTEGER NOT NULL, updated_ms INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
  ) STRICT;
  CREATE INDEX machine_states_open ON machine_states (kind, final);

  -- Every signed envelope that binds somebody, as the bytes that came.
  CREATE TABLE statements (
    hash BLOB PRIMARY KEY, kind TEXT NOT NULL, machine TEXT NOT NULL, signer TEXT NOT NULL, envelope BLOB NOT NULL,
    created_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX statements_machine ON statements (machine, kind);

  -- Receipts: one chain a lease and role.
  CREATE TABLE receipts (
    lease TEXT NOT NULL, role TEXT NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE, previous BLOB NOT NULL,
    envelope BLOB NOT NULL, countersignature BLOB, final INTEGER NOT NULL, amount_micro INTEGER NOT NULL, unit TEXT NOT NULL,
    job TEXT NOT NULL, other TEXT NOT NULL, created_ms INTEGER NOT NULL,
    PRIMARY KEY (lease, role, sequence)
  ) STRICT;

  -- Who the envelopes of a lease are: AWARD, ACCEPT, COMMIT and result, by the lease's id.
  CREATE TABLE lease_statements (
    lease TEXT NOT NULL, kind TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (lease, kind)
  ) STRICT;

  CREATE TABLE sequence_floors (key TEXT PRIMARY KEY, floor INTEGER NOT NULL, hash BLOB NOT NULL, used INTEGER NOT NULL) STRICT;
  CREATE INDEX sequence_floors_used ON sequence_floors (used);

  CREATE TABLE shards (
    root TEXT PRIMARY KEY, bytes INTEGER NOT NULL, keep_until_ms INTEGER NOT NULL, owner TEXT NOT NULL, created_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX shards_expiry ON shards (keep_until_ms);

  CREATE TABLE peers_seen (
    peer TEXT PRIMARY KEY, success INTEGER NOT NULL, refused INTEGER NOT NULL, fault INTEGER NOT NULL, no_show INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, evidence TEXT NOT NULL
  ) STRICT;
  CREATE INDEX peers_seen_last ON peers_seen (last_ms);

  CREATE TABLE jobs (id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, view TEXT NOT NULL) STRICT;
  CREATE INDEX jobs_created ON jobs (created_ms);

  CREATE TABLE objects (
    cid TEXT PRIMARY KEY, key BLOB NOT NULL, manifest BLOB NOT NULL, placement TEXT NOT NULL, bytes INTEGER NOT NULL,
    name TEXT NOT NULL, created_ms INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
  `,
  `
  CREATE INDEX shards_owner ON shards (owner);

  -- What is known of the objects of which a shard is here; records: placement records, one after the other (DAG-CBOR).
  CREATE TABLE dossiers (
    object TEXT PRIMARY KEY, root TEXT NOT NULL, manifest BLOB NOT NULL, records BLOB NOT NULL, advertised INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX dossiers_root ON dossiers (root);

  -- The last audit of each shard at each keeper, and when it was last passed (0: never).
  CREATE TABLE audits (
    object TEXT NOT NULL, shard INTEGER NOT NULL, keeper TEXT NOT NULL, verdict TEXT NOT NULL, reason TEXT NOT NULL,
    at_ms INTEGER NOT NULL, passed_ms INTEGER NOT NULL,
    PRIMARY KEY (object, shard, keeper)
  ) STRICT;
  CREATE INDEX audits_at ON audits (at_ms);

  -- Whether it is ours to look after, or somebody gave us the key; and whether it is the tar of a folder.
  ALTER TABLE objects ADD COLUMN kept INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE objects ADD COLUMN folder INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- Objects whose put has not ended: sealed here, and on their way to keepers. own_until_ms: until when our own shards stay for it.
  CREATE TABLE puts (object TEXT PRIMARY KEY, begun_ms INTEGER NOT NULL, own_until_ms INTEGER NOT NULL) STRICT;
  -- To whom each shard was offered last; keep_until_ms: until when it said that it keeps it (0: it has not said so).
  CREATE TABLE put_shards (
    object TEXT NOT NULL, shard INTEGER NOT NULL, keeper TEXT NOT NULL, keep_until_ms INTEGER NOT NULL,
    PRIMARY KEY (object, shard)
  ) STRICT;
  CREATE INDEX objects_key ON objects (key);

  -- Until when others than the owner were promised a shard. Of those that are here nobody knows: they are kept for their terms.
  ALTER TABLE shards ADD COLUMN others_until_ms INTEGER NOT NULL DEFAULT 0;
  UPDATE shards SET others_until_ms = keep_until_ms;

  -- What only this peer knows, by what it is for.
  CREATE TABLE secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
  `,
  `
  -- What a dossier takes of the room that is lent, so that it can be summed up without reading it.
  ALTER TABLE dossiers ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;
  UPDATE dossiers SET bytes = length(manifest) + length(records);
  DROP INDEX dossiers_root;
  CREATE INDEX dossiers_root ON dossiers (root, bytes);
  `,
  `
  -- Peers that are proven to have equivocated, and the two envelopes that prove it.
  CREATE TABLE proofs (peer TEXT PRIMARY KEY, first BLOB NOT NULL, second BLOB NOT NULL, at_ms INTEGER NOT NULL) STRICT;
  CREATE INDEX proofs_at ON proofs (at_ms);
  `,
  `
  -- What others said last of what they can do, as signed: so that a restart need not ask for it again.
  CREATE TABLE records_known (peer TEXT PRIMARY KEY, envelope BLOB NOT NULL) STRICT;
  `,
  `
  -- Since when it has passed every audit; 0: it did not pass the last one.
  ALTER TABLE audits ADD COLUMN steady_ms INTEGER NOT NULL DEFAULT 0;
  UPDATE audits SET steady_ms = passed_ms WHERE verdict = 'passed';
  `,
  `
  -- Settling: statements that both have signed, by account and number, and what of each lease they have taken in.
  -- debtor: who owes the net of it; empty when it is 0.
  CREATE TABLE settlements (
    peer TEXT NOT NULL, unit TEXT NOT NULL, number INTEGER NOT NULL, statement BLOB NOT NULL, agreement BLOB NOT NULL,
    debtor TEXT NOT NULL, net_micro INTEGER NOT NULL, at_ms INTEGER NOT NULL, PRIMARY KEY (peer, unit, number)
  ) STRICT;
  CREATE TABLE settled_leases (lease TEXT PRIMARY KEY, amount_micro INTEGER NOT NULL) STRICT;

  -- One row a lease and side, kept by the triggers: so that nobody need go through all receipts to know who owes what.
  -- began_ms: its first receipt; signed: the last receipt that both have signed (0: none).
  CREATE TABLE lease_totals (
    lease TEXT NOT NULL, role TEXT NOT NULL, other TEXT NOT NULL, unit TEXT NOT NULL, began_ms INTEGER NOT NULL,
    stated_micro INTEGER NOT NULL, signed_sequence INTEGER NOT NULL, signed_micro INTEGER NOT NULL, settled_micro INTEGER NOT NULL,
    PRIMARY KEY (lease, role)
  ) STRICT;
  CREATE INDEX lease_totals_account ON lease_totals (other, unit, role);
  CREATE INDEX lease_totals_open ON lease_totals (other, unit) WHERE signed_micro > settled_micro;
  INSERT INTO lease_totals SELECT lease, role, min(other), min(unit), min(created_ms), max(amount_micro),
    max(CASE WHEN countersignature IS NULL THEN 0 ELSE sequence END),
    max(CASE WHEN countersignature IS NULL THEN 0 ELSE amount_micro END), 0
    FROM receipts GROUP BY lease, role;
  CREATE TRIGGER receipt_added AFTER INSERT ON receipts BEGIN
    INSERT INTO lease_totals VALUES (new.lease, new.role, new.other, new.unit, new.created_ms, new.amount_micro,
      CASE WHEN new.countersignature IS NULL THEN 0 ELSE new.sequence END,
      CASE WHEN new.countersignature IS NULL THEN 0 ELSE new.amount_micro END,
      coalesce((SELECT amount_micro FROM settled_leases WHERE lease = new.lease), 0))
    ON CONFLICT (lease, role) DO UPDATE SET stated_micro = max(stated_micro, excluded.stated_micro),
      signed_sequence = max(signed_sequence, excluded.signed_sequence), signed_micro = max(signed_micro, excluded.signed_micro);
  END;
  CREATE TRIGGER receipt_signed AFTER UPDATE OF countersignature ON receipts WHEN new.countersignature IS NOT NULL BEGIN
    UPDATE lease_totals SET signed_sequence = max(signed_sequence, new.sequence), signed_micro = max(signed_micro, new.amount_micro)
    WHERE lease = new.lease AND role = new.role;
  END;
  `,
]

/** Brings a database to the newest form. One of a newer program is refused rather than misread. */
export function migrate(db: DatabaseSync, path: string, steps: readonly string[]): void {
  const row = db.prepare('PRAGMA user_version').get() as { user_version: number }
  const version = row.user_version
  if (version > steps.length)
    throw new LedgerError('LEDGER_TOO_NEW', `${path} has form ${version}; this program knows up to ${steps.length}`)
  for (let next = version; next < steps.length; next++) {
    db.exec(`BEGIN IMMEDIATE; ${steps[next]!}; PRAGMA user_version = ${next + 1}; COMMIT`)
  }
}
