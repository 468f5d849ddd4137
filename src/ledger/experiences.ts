/** What this peer saw of others, a row for each and for each thing that it did. What the sums mean, and what to think of it, is reputation's. */
import type { Log } from '../environment.ts'
import type { Store } from './store.ts'

export interface ExperienceRow {
  readonly success: number
  readonly refused: number
  readonly noShow: number
  readonly fault: number
  readonly paidMicro: number
  readonly startMs: number
  readonly starts: number
  readonly lapses: number
  readonly lapsedMs: number
  readonly lapse: '' | 'noShow' | 'fault'
  readonly atMs: number
  readonly evidence: readonly string[]
}

/** Rows kept; of whom nothing was seen for longest, that is forgotten first, and it is then a stranger again. */
export const experiencesMax = 32_768

export class Experiences {
  readonly #store: Store
  readonly #log: Log

  constructor(store: Store, log: Log) {
    this.#store = store
    this.#log = log
  }

  /** By what the peer did. */
  of(peer: string): ReadonlyMap<string, ExperienceRow> {
    const rows = this.#store.read((db) => db.prepare('SELECT * FROM experiences WHERE peer = ?').all(peer))
    return new Map(rows.map((row) => [row['doing'] as string, rowOf(row)]))
  }

  /** Peers of which anything is kept. */
  peers(): string[] {
    return this.#store
      .read((db) => db.prepare(`SELECT DISTINCT peer FROM experiences WHERE peer <> ''`).all())
      .map(({ peer }) => peer as string)
  }

  /** Peers that were looked for: whether they were there, those that were there more often first. */
  lookedFor(most: number): string[] {
    return this.#store
      .read((db) =>
        db.prepare(`SELECT peer FROM experiences WHERE doing = 'there' ORDER BY success DESC, peer LIMIT ?`).all(most),
      )
      .map(({ peer }) => peer as string)
  }

  /** Written with the next group. What cannot be written is logged, and lost. */
  change(peer: string, doing: string, next: (before: ExperienceRow | undefined) => ExperienceRow): void {
    const written = this.#store.write((db) => {
      const found = db.prepare('SELECT * FROM experiences WHERE peer = ? AND doing = ?').get(peer, doing)
      const row = next(found === undefined ? undefined : rowOf(found))
      db.prepare(
        `INSERT OR REPLACE INTO experiences (peer, doing, success, refused, no_show, fault, paid_micro, start_ms, starts, lapses,
           lapsed_ms, lapse, at_ms, evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ).run(
        peer,
        doing,
        row.success,
        row.refused,
        row.noShow,
        row.fault,
        row.paidMicro,
        row.startMs,
        row.starts,
        row.lapses,
        row.lapsedMs,
        row.lapse,
        row.atMs,
        JSON.stringify(row.evidence),
      )
      // Walks all that are kept, so only where there is one more of them.
      if (found !== undefined) return
      db.prepare(
        `DELETE FROM experiences WHERE rowid IN (SELECT rowid FROM experiences ORDER BY at_ms DESC LIMIT -1 OFFSET ?)`,
      ).run(experiencesMax)
    })
    written.catch((error: unknown) =>
      this.#log('warn', 'what was seen of a peer was not written down', { peer, error }),
    )
  }
}

type Row = Readonly<Record<string, unknown>>

export function rowOf(row: Row): ExperienceRow {
  return {
    success: row['success'] as number,
    refused: row['refused'] as number,
    noShow: row['no_show'] as number,
    fault: row['fault'] as number,
    paidMicro: row['paid_micro'] as number,
    startMs: row['start_ms'] as number,
    starts: row['starts'] as number,
    lapses: row['lapses'] as number,
    lapsedMs: row['lapsed_ms'] as number,
    lapse: row['lapse'] as ExperienceRow['lapse'],
    atMs: row['at_ms'] as number,
    evidence: JSON.parse(row['evidence'] as string) as string[],
  }
}
