/** Whatever is repaired, and whoever tells of it: an object has the name that it was given, and shards that its manifest names. */
import { cidOfDocument } from '../../protocols/wire/index.ts'
import type { StorageWorld } from '../model/storage-world.ts'

export function namesStay(world: StorageWorld): string[] {
  const roots = new Set([...world.watch.rootsOf.values()].flat())
  return world.peers.flatMap(({ number, name, vice, storage }) => {
    if (vice !== null) return []
    // What it was just sealing when it died is of no object yet, and its own.
    const wrong = [...storage.rows.values()]
      .filter(({ root, owner }) => owner !== name && !roots.has(root))
      .map(({ root }) => `peer ${number} keeps ${root.slice(0, 8)}, which is of no object`)
    for (const { object, manifest } of storage.objectRows.dossiers.values()) {
      if (cidOfDocument(manifest) !== object) wrong.push(`peer ${number} has another manifest under ${object}`)
      if (!world.watch.rootsOf.has(object)) wrong.push(`peer ${number} knows of ${object}, which nobody made`)
    }
    return wrong
  })
}
