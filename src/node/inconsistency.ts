/**
 * What can be said of who made an object that is none. Its manifest is not signed, so nobody is proven to have made it: whoever knows it
 * may place its shards, and a repairer does. What is signed are the records that say where the shards are, and so that is named, and
 * no more: who signed that they were placed.
 */
import type { Version } from '../../protocols/placement/index.ts'
import type { PeerName } from '../../protocols/wire/index.ts'
import type { Log } from '../environment.ts'
import { InconsistentObjectError } from '../storage/fetch.ts'
import type { Located } from '../storage/locate.ts'

/** `error` says that it is inconsistent, and the message of the one that is returned also who placed it. Logged. */
export async function withPlacers(
  deps: {
    readonly self: PeerName
    readonly log: Log
    locate(): Promise<Pick<Located, 'versions'>>
  },
  error: InconsistentObjectError,
  object: string,
  signal: AbortSignal,
): Promise<InconsistentObjectError> {
  const versions = await deps.locate().then(
    (located) => located.versions,
    () => [],
  )
  signal.throwIfAborted()
  const placers = versions.filter(({ withdrawn }) => !withdrawn)
  const placedBy = placers.map(({ writer }) => writer)
  deps.log('warn', 'an object is inconsistent', { object, error, placedBy })
  return new InconsistentObjectError(`${error.message}; ${accountOf(placers, deps.self)}`)
}

function accountOf(placers: readonly Version[], self: PeerName): string {
  if (placers.length === 0)
    return 'who made it is not known: a manifest is not signed, and no signed record of a placement was found'
  // The oldest first: who repaired it later has less to do with it.
  const named = placers
    .toSorted((left, right) => left.issuedMs - right.issuedMs)
    .map(
      ({ writer, issuedMs }) =>
        `${writer === self ? 'this peer' : writer} (${new Date(issuedMs).toISOString().slice(0, 10)})`,
    )
  return `that its shards were placed is signed by ${named.join(', ')}; who made it is not proven, for a manifest is not signed`
}
