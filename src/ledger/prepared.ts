/** Statements that are used again and again, prepared once for each database: preparing costs more than most of them do. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'

type Statements = WeakMap<DatabaseSync, Map<string, StatementSync>>

const known: Readonly<Record<'numbers' | 'bigints', Statements>> = { numbers: new WeakMap(), bigints: new WeakMap() }

/**
 * `sql` must be one of a few: constants of the program, never made of what it is asked. Integers are read as numbers, and one over
 * 2^53 throws; or all of them as `bigints`.
 */
export function prepared(db: DatabaseSync, sql: string, integers: 'numbers' | 'bigints' = 'numbers'): StatementSync {
  let ofDatabase = known[integers].get(db)
  if (ofDatabase === undefined) known[integers].set(db, (ofDatabase = new Map<string, StatementSync>()))
  let statement = ofDatabase.get(sql)
  if (statement === undefined) {
    ofDatabase.set(sql, (statement = db.prepare(sql)))
    statement.setReadBigInts(integers === 'bigints')
  }
  return statement
}
