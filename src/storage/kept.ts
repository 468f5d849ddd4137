/** Shards that were kept, for how long: what storage receipts count. */
const bytesPerMib = 2n ** 20n
const msPerSecond = 1_000n

/** So many bytes, from when to when. */
export interface Kept {
  readonly bytes: number
  readonly fromMs: number
  readonly untilMs: number
}

/** All together, in MiB times seconds, rounded down once; no more than can be written. */
export function keptMibS(all: Iterable<Kept>): number {
  let byteMs = 0n
  for (const { bytes, fromMs, untilMs } of all) if (untilMs > fromMs) byteMs += BigInt(bytes) * BigInt(untilMs - fromMs)
  return Math.min(Number(byteMs / (bytesPerMib * msPerSecond)), Number.MAX_SAFE_INTEGER)
}

/** A shard as its keeper has it written down. */
export interface KeptShard {
  readonly bytes: number
  readonly createdMs: number
  readonly keepUntilMs: number
}

/** What of the time between falls on each shard: since it was put, until its term is over. */
export function* keptBetween(shards: Iterable<KeptShard>, fromMs: number, untilMs: number): Generator<Kept> {
  for (const { bytes, createdMs, keepUntilMs } of shards)
    yield { bytes, fromMs: Math.max(fromMs, createdMs), untilMs: Math.min(untilMs, keepUntilMs) }
}

/** What is known of a shard's last audit at a keeper. */
export interface LastAudit {
  /** When it was last passed. */
  readonly passedMs: number
  /** Since when every one was passed; 0: the last was not, or there was none. */
  readonly steadyMs: number
}

/**
 * What an audit that was passed just now shows: it was there since the last one, if that was passed too, and was promised for so long.
 * One that was not passed in between ends the time at the last that was.
 */
export function shownBy(
  last: LastAudit | undefined,
  bytes: number,
  passedMs: number,
  promisedUntilMs: number,
): Kept | undefined {
  if (last === undefined || last.steadyMs === 0) return undefined
  const untilMs = Math.min(passedMs, promisedUntilMs)
  return untilMs > last.passedMs ? { bytes, fromMs: last.passedMs, untilMs } : undefined
}
