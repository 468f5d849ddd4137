/** The tables, as forward-only steps. A step that was released is never changed; a new one is added at the end. */
import { DatabaseSync } from 'node:sqlite'

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
  -- Receipts that were not countersigned at once, and why not, as the requester signed it.
  CREATE TABLE receipt_disputes (
    lease TEXT NOT NULL, role TEXT NOT NULL, sequence INTEGER NOT NULL, receipt BLOB NOT NULL, code TEXT NOT NULL, envelope BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (lease, role, sequence)
  ) STRICT;
  `,
  `
  -- The chain of the peer: every receipt, countersignature and other statement, in the order in which they were written down.
  CREATE TABLE chain (
    position INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, hash BLOB NOT NULL, at_ms INTEGER NOT NULL,
    link BLOB NOT NULL
  ) STRICT;
  -- A receipt and its countersignature lie in their row and nowhere else; position: where it is in the chain. An index by hash is gone
  -- with that: its places are of chance, so that a page of it was written for each receipt, and who asks by hash is a person who can wait
  -- for a look at all.
  CREATE TABLE receipts_now (
    lease TEXT NOT NULL, role TEXT NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, previous BLOB NOT NULL,
    envelope BLOB NOT NULL, countersignature BLOB, final INTEGER NOT NULL, amount_micro INTEGER NOT NULL, unit TEXT NOT NULL,
    job TEXT NOT NULL, other TEXT NOT NULL, created_ms INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (lease, role, sequence)
  ) STRICT;
  INSERT INTO receipts_now SELECT lease, role, sequence, hash, previous, envelope, countersignature, final, amount_micro, unit, job, other,
    created_ms, 0 FROM receipts ORDER BY rowid;
  DROP TABLE receipts;
  ALTER TABLE receipts_now RENAME TO receipts;
  DELETE FROM statements WHERE kind IN ('receipt', 'countersignature');

  -- Nobody asks by it, and a page of it was written for every statement.
  DROP INDEX statements_machine;

  -- How far the chain had come, signed by this peer.
  CREATE TABLE checkpoints (position INTEGER PRIMARY KEY, envelope BLOB NOT NULL) STRICT;

  -- Rows that are not what was written; lease: empty when the row is of none.
  CREATE TABLE damages (
    place TEXT PRIMARY KEY, lease TEXT NOT NULL, role TEXT NOT NULL, sequence INTEGER NOT NULL, what TEXT NOT NULL,
    found_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX damages_lease ON damages (lease);
  -- What may be settled and paid: the receipts of leases of which no row is damaged.
  CREATE VIEW receipts_sound AS SELECT * FROM receipts WHERE lease NOT IN (SELECT lease FROM damages);

  -- Why this peer may not be the only one with its key, or not know all that it has signed. Its owner decides.
  CREATE TABLE doubts (code TEXT PRIMARY KEY, facts TEXT NOT NULL, since_ms INTEGER NOT NULL) STRICT;
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
  `
  -- What was seen of a peer, by what it did (a runtime, asking, keeping): sums that decay, up to at_ms. Peer '': strangers as such.
  CREATE TABLE experiences (
    peer TEXT NOT NULL, doing TEXT NOT NULL, success REAL NOT NULL, refused REAL NOT NULL, no_show REAL NOT NULL, fault REAL NOT NULL,
    paid_micro REAL NOT NULL, start_ms REAL NOT NULL, starts REAL NOT NULL, lapses REAL NOT NULL, lapsed_ms INTEGER NOT NULL,
    lapse TEXT NOT NULL, at_ms INTEGER NOT NULL, evidence TEXT NOT NULL,
    PRIMARY KEY (peer, doing)
  ) STRICT;
  CREATE INDEX experiences_at ON experiences (at_ms);
  DROP TABLE peers_seen;
  `,
  `
  -- Bonds of providers of ours that are proven to have equivocated under the lease, and leases of which a statement has taken in the bond.
  CREATE TABLE forfeits (
    lease TEXT PRIMARY KEY, peer TEXT NOT NULL, unit TEXT NOT NULL, award BLOB NOT NULL, first BLOB NOT NULL, second BLOB NOT NULL,
    at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX forfeits_account ON forfeits (peer, unit);
  CREATE TABLE forfeited_leases (lease TEXT PRIMARY KEY, bond_micro INTEGER NOT NULL) STRICT;
  `,
  `
  -- By it the receipts of an account of storage are found, among all that is signed; a page of it is written once an hour for each.
  CREATE INDEX statements_storage ON statements (machine) WHERE kind IN ('storage-receipt', 'storage-countersignature');
  `,
]

/** SQLite's code for SQL that cannot be run (sqlite.org/rescode.html). */
const sqliteError = 1

/** Brings a database to the newest form. One of a newer program is refused rather than misread. */
export function migrate(db: DatabaseSync, path: string, steps: readonly string[]): void {
  const row = db.prepare('PRAGMA user_version').get() as { user_version: number }
  const version = row.user_version
  if (version > steps.length)
    throw new LedgerError('LEDGER_TOO_NEW', `${path} has form ${version}; this program knows up to ${steps.length}`)
  for (let next = version; next < steps.length; next++) {
    try {
      db.exec(`BEGIN IMMEDIATE; ${steps[next]!}; PRAGMA user_version = ${next + 1}; COMMIT`)
    } catch (error) {
      // A step that fails for its SQL found other tables than the number of the file promises.
      if ((error as { errcode?: number }).errcode !== sqliteError) throw error
      throw new LedgerError(
        'LEDGER_DAMAGED',
        `${path} is damaged: it says that it has form ${version}, and has not`,
        error,
      )
    }
  }
  checkSchema(db, path, steps)
}

/** A bit that has flipped in the text of a table's definition gives its columns other names, or types. */
function checkSchema(db: DatabaseSync, path: string, steps: readonly string[]): void {
  if (schemaOf(db) !== expectedOf(steps))
    throw new LedgerError('LEDGER_DAMAGED', `${path} is damaged: its tables are not those of form ${steps.length}`)
}

const expected = new WeakMap<readonly string[], string>()

function expectedOf(steps: readonly string[]): string {
  let schema = expected.get(steps)
  if (schema === undefined) {
    const db = new DatabaseSync(':memory:')
    for (const step of steps) db.exec(step)
    expected.set(steps, (schema = schemaOf(db)))
    db.close()
  }
  return schema
}

function schemaOf(db: DatabaseSync): string {
  return JSON.stringify(db.prepare('SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name').all())
}
