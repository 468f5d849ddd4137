/** What this peer saw of others, as counts. What to think of it is reputation's business. */
import type { Store } from './store.ts'

export interface PeerSeen {
  readonly success: number
  readonly refused: number
  readonly fault: number
  readonly noShow: number
  readonly lastMs: number
  readonly evidence: string
}

export type Sight = 'success' | 'refused' | 'fault' | 'noShow'

/** Peers remembered; the one not seen for longest is forgotten, and is then a stranger again. */
const peersMax = 16_384
const evidenceCharsMax = 500
const columns: Record<Sight, string> = { success: 'success', refused: 'refused', fault: 'fault', noShow: 'no_show' }

export class PeersSeen {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async bump(peer: string, what: Sight, nowMs: number, evidence = ''): Promise<void> {
    const column = columns[what]
    await this.#store.write((db) => {
      const added = db
        .prepare(
          'INSERT OR IGNORE INTO peers_seen (peer, success, refused, fault, no_show, last_ms, evidence) VALUES (?, 0, 0, 0, 0, 0, ?)',
        )
        .run(peer, '')
      db.prepare(
        `UPDATE peers_seen SET ${column} = ${column} + 1, last_ms = ?, evidence = CASE WHEN ? = '' THEN evidence ELSE ? END WHERE peer = ?`,
      ).run(nowMs, evidence, evidence.slice(0, evidenceCharsMax), peer)
      // Walks all that are kept, so only where there is one more of them.
      if (added.changes === 0) return
      db.prepare(
        'DELETE FROM peers_seen WHERE peer IN (SELECT peer FROM peers_seen ORDER BY last_ms DESC LIMIT -1 OFFSET ?)',
      ).run(peersMax)
    })
  }

  get(peer: string): PeerSeen | undefined {
    const row = this.#store.read((db) => db.prepare('SELECT * FROM peers_seen WHERE peer = ?').get(peer))
    if (row === undefined) return undefined
    return {
      success: row.success as number,
      refused: row.refused as number,
      fault: row.fault as number,
      noShow: row.no_show as number,
      lastMs: row.last_ms as number,
      evidence: row.evidence as string,
    }
  }
}
