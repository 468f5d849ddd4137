/** What a peer's ledger knows of objects: its own, their audits, and those of which it keeps a shard. Durable as the index of shards is. */
import { equals } from 'uint8arrays'

import { withAudit, type AuditEntry, type AuditFound, type Audits } from '../../src/ledger/audits.ts'
import type { ObjectEntry, Objects } from '../../src/ledger/objects.ts'
import type { DossierEntry, DossierIndex } from '../../src/storage/dossier-index.ts'
import { committed } from './committed.ts'
import type { DiskLife, ModelDisk } from './files.ts'
import type { ShardRows } from './shard-table.ts'

/** The rows, which outlive every life. */
export class ObjectRows {
  readonly objects = new Map<string, ObjectEntry>()
  /** By object, shard and keeper. */
  readonly audits = new Map<string, AuditEntry>()
  readonly dossiers = new Map<string, DossierEntry>()
  sequence = 0

  clear(): void {
    for (const rows of [this.objects, this.audits, this.dossiers]) rows.clear()
  }
}

export interface ObjectTables {
  readonly objects: Pick<Objects, keyof Objects>
  readonly audits: Pick<Audits, keyof Audits>
  readonly dossiers: DossierIndex
  readonly nextSequence: () => Promise<number>
}

export function objectTables(
  rows: ObjectRows,
  shards: ShardRows,
  disk: ModelDisk,
  life: DiskLife,
  onAudits: (entries: readonly AuditFound[]) => void,
): ObjectTables {
  const commit = async (change: () => void): Promise<void> => committed(disk, life, change)
  const { objects, audits, dossiers } = rows
  return {
    objects: {
      put: async (entry) => commit(() => void objects.set(entry.cid, entry)),
      get: (cid) => objects.get(cid),
      byKey: (key) => [...objects.values()].find((entry) => entry.key !== null && equals(entry.key, key)),
      list: () => [...objects.values()],
      delete: async (cid) => commit(() => void objects.delete(cid)),
      find: (part) => [...objects.keys()].filter((cid) => cid.startsWith(part) || cid.endsWith(part)),
    },
    audits: {
      async put(entries) {
        onAudits(entries)
        return commit(() => {
          for (const entry of entries) {
            const name = `${entry.object} ${entry.shard} ${entry.keeper}`
            audits.set(name, withAudit(audits.get(name), entry))
          }
        })
      },
      of: (object) => [...audits.values()].filter((entry) => entry.object === object),
      forget: async (object) =>
        commit(() => {
          for (const [name, entry] of audits) if (entry.object === object) audits.delete(name)
        }),
      forgetOne: async (object, shard, keeper) => commit(() => void audits.delete(`${object} ${shard} ${keeper}`)),
    },
    dossiers: {
      put: async (entry) => commit(() => void dossiers.set(entry.object, entry)),
      get: (object) => dossiers.get(object),
      delete: async (object) => commit(() => void dossiers.delete(object)),
      countOf: (root) => [...dossiers.values()].filter((entry) => entry.root === root).length,
      advertised: (limit) =>
        [...dossiers.values()].flatMap(({ object, isAdvertised }) => (isAdvertised ? [object] : [])).slice(0, limit),
      stray: () => [...dossiers.values()].filter(({ root }) => !shards.has(root)),
    },
    async nextSequence() {
      await commit(() => void rows.sequence++)
      return rows.sequence
    },
  }
}
