/** In storage too an honest peer never blames an honest one: crashes, lost power, rot and cuts break no protocol. */
import type { StorageWorld } from '../model/storage-world.ts'

export function noHonestBlame(world: StorageWorld): string[] {
  return world.peers
    .filter(({ vice }) => vice === null)
    .flatMap(({ number, blamed }) =>
      blamed
        .filter(({ peer }) => world.peerOf(peer)?.vice === null)
        .map(({ peer, fault }) => `peer ${number} blames ${world.numberOf(peer)}: ${fault.code} ${fault.message}`),
    )
}
