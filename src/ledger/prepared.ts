/** Statements that are used again and again, prepared once for each database: preparing costs more than most of them do. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

const known = new WeakMap<DatabaseSync, Map<string, StatementSync>>()

/**
 * `sql` must be one of a few: constants of the program, never made of what it is asked. Integers are read as numbers, and one over
 * 2^53 throws; or all of them as `bigints`.
 */
export function prepared(db: DatabaseSync, sql: string, integers: 'numbers' | 'bigints' = 'numbers'): StatementSync {
  let ofDatabase = known.get(db)
  if (ofDatabase === undefined) known.set(db, (ofDatabase = new Map<string, StatementSync>()))
  const key = `${integers} ${sql}`
  let statement = ofDatabase.get(key)
  if (statement === undefined) {
    ofDatabase.set(key, (statement = db.prepare(sql)))
    statement.setReadBigInts(integers === 'bigints')
  }
  return statement
}
