/**
 * Puts that have not ended: which objects are sealed here and on their way to keepers, and who has which of their shards, so that
 * a put that is asked for again goes on where it broke off.
 */
import { entryOf, writeObject, type ObjectEntry } from './objects.ts'
import type { Store } from './store.ts'

export interface OpenPut {
  readonly entry: ObjectEntry
  readonly begunMs: number
  /** Until when our own shards stay for it. */
  readonly ownUntilMs: number
}

/** To whom a shard was offered last. */
export interface PutShard {
  readonly shard: number
  readonly keeper: string
  /** 0: it has not said that it keeps it. */
  readonly keepUntilMs: number
}

export class Puts {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** The object, its key and that it is to be placed: all, or nothing. */
  async begin(entry: ObjectEntry, nowMs: number, ownUntilMs: number): Promise<void> {
    await this.#store.write((db) => {
      writeObject(db, entry)
      db.prepare('INSERT OR REPLACE INTO puts (object, begun_ms, own_until_ms) VALUES (?, ?, ?)').run(
        entry.cid,
        nowMs,
        ownUntilMs,
      )
    })
  }

  /** Durable when it resolves. */
  async note(object: string, { shard, keeper, keepUntilMs }: PutShard): Promise<void> {
    await this.#store.write((db) =>
      db
        .prepare('INSERT OR REPLACE INTO put_shards (object, shard, keeper, keep_until_ms) VALUES (?, ?, ?, ?)')
        .run(object, shard, keeper, keepUntilMs),
    )
  }

  get(object: string): OpenPut | undefined {
    const row = this.#store.read((db) => db.prepare(`${selectOpen} WHERE puts.object = ?`).get(object))
    return row === undefined ? undefined : openPutOf(row)
  }

  /** Those of objects of so many bytes, the newest first. */
  ofBytes(bytes: number, limit: number): OpenPut[] {
    return this.#store
      .read((db) =>
        db.prepare(`${selectOpen} WHERE objects.bytes = ? ORDER BY puts.begun_ms DESC LIMIT ?`).all(bytes, limit),
      )
      .map(openPutOf)
  }

  /** Those of which our own shards are gone by now. */
  over(nowMs: number): OpenPut[] {
    return this.#store.read((db) => db.prepare(`${selectOpen} WHERE puts.own_until_ms <= ?`).all(nowMs)).map(openPutOf)
  }

  shards(object: string): PutShard[] {
    return this.#store
      .read((db) => db.prepare('SELECT * FROM put_shards WHERE object = ? ORDER BY shard').all(object))
      .map((row) => ({
        shard: row.shard as number,
        keeper: row.keeper as string,
        keepUntilMs: row.keep_until_ms as number,
      }))
  }

  /** The put has ended well: the object is where `entry` says. */
  async finish(entry: ObjectEntry): Promise<void> {
    await this.#store.write((db) => {
      writeObject(db, entry)
      forget(db, entry.cid)
    })
  }

  /** The put is given up; `withObject`: and so is the object, with its key. */
  async giveUp(object: string, withObject: boolean): Promise<void> {
    await this.#store.write((db) => {
      forget(db, object)
      if (withObject) db.prepare('DELETE FROM objects WHERE cid = ?').run(object)
    })
  }
}

const selectOpen = 'SELECT objects.*, begun_ms, own_until_ms FROM puts JOIN objects ON objects.cid = puts.object'

function forget(db: Parameters<typeof writeObject>[0], object: string): void {
  db.prepare('DELETE FROM puts WHERE object = ?').run(object)
  db.prepare('DELETE FROM put_shards WHERE object = ?').run(object)
}

function openPutOf(row: Record<string, unknown>): OpenPut {
  return { entry: entryOf(row), begunMs: row.begun_ms as number, ownUntilMs: row.own_until_ms as number }
}
