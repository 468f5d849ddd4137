/** Whatever a read gave is byte for byte what was put: never less, never anything else. */
import type { StorageWorld } from '../model/storage-world.ts'

export function dataIsExact(world: StorageWorld): string[] {
  return world.reads.flatMap(({ object, reader, outcome }) => {
    if (outcome === null || 'error' in outcome || Buffer.compare(outcome.plain, object.plain) === 0) return []
    return [
      `object ${object.number} of ${object.plain.byteLength} bytes was read by ${reader.number} as ${outcome.plain.byteLength} others`,
    ]
  })
}
