/** What the disks of live peers say when these have stopped: plain data, so that those of several processes can be put together. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { PeerName } from '../../../protocols/wire/index.ts'
import { rowOf } from '../../../src/ledger/experiences.ts'
import type { Doing, Experience } from '../../../src/reputation/experience.ts'
import { signedRows, type SignedRow } from '../../signed-statements.ts'
import type { LivePeer } from '../live-peer.ts'

export interface LedgerOfPeer {
  readonly index: number
  readonly name: PeerName
  /** Null: honest, and there with all that it ever wrote. */
  readonly vice: string | null
  readonly frozenMs: number
  /** Price at which it lends; null: it does not. */
  readonly cpuHourMicro: number | null
  /** In the order in which they were first written; states as DAG-CBOR. */
  readonly machines: readonly { readonly kind: string; readonly id: string; readonly state: Uint8Array }[]
  readonly statements: readonly SignedRow[]
  readonly seen: readonly { readonly peer: PeerName; readonly doing: Doing; readonly seen: Experience }[]
}

export function readLedgers(peers: readonly LivePeer[]): LedgerOfPeer[] {
  return peers.map((peer) => ({
    index: peer.index,
    name: peer.name,
    vice: peer.vice ?? (peer.hasLostDisk ? 'without its disk' : null),
    frozenMs: peer.frozenMs,
    cpuHourMicro: peer.offer?.cpuHourMicro ?? null,
    ...read(join(peer.folder, 'ledger.db'), peer.name),
  }))
}

function read(path: string, self: PeerName): Pick<LedgerOfPeer, 'machines' | 'statements' | 'seen'> {
  if (!existsSync(path)) return { machines: [], statements: [], seen: [] }
  const db = new DatabaseSync(path)
  try {
    const all = <Row>(sql: string): Row[] => db.prepare(sql).all() as Row[]
    return {
      machines: all('SELECT kind, id, state FROM machine_states ORDER BY rowid'),
      statements: signedRows(db, self),
      seen: all<Readonly<Record<string, unknown>>>(`SELECT * FROM experiences WHERE peer <> ''`).map((row) => ({
        peer: row['peer'] as PeerName,
        doing: row['doing'] as Doing,
        seen: rowOf(row),
      })),
    }
  } finally {
    db.close()
  }
}
