/** What is said of an object that is with keepers now. */
import type { PutView } from '../control/api.ts'
import { safe } from './escape.ts'
import { count, named, size, span } from './format.ts'
import type { Terminal } from './terminal.ts'

export async function showKept(terminal: Terminal, kept: PutView): Promise<void> {
  if (terminal.json) return terminal.printJson(kept)
  terminal.note(...keptLines(kept))
  await terminal.print(safe(kept.object))
}

/** What the loss of whoever runs keepers would mean, where they say it. */
export function operatorLines(operatorsBorne: number | null): string[] {
  if (operatorsBorne === null || operatorsBorne < 0) return []
  return operatorsBorne === 0
    ? ['! one operator, as its keepers say themselves, has so much of it that without them it cannot be read']
    : [`any ${count(operatorsBorne, 'operator')} may be lost, as keepers say themselves who runs them`]
}

function keptLines(kept: PutView): string[] {
  const { k, n, bytes, keepers, name, object, lossesBorne, keptUntilMs, keepersTold, recordsStored, shardsThere } = kept
  const findable =
    keepersTold + recordsStored === 0
      ? ['! nobody was told where it is: others cannot find it yet; this peer tries again within hours']
      : []
  return [
    `${safe(name)}  ${size(bytes)}`,
    ...(shardsThere === 0 ? [] : [`${shardsThere} of ${count(n, 'shard')} were with keepers already`]),
    `${count(n, 'shard')}, any ${k} enough -> ${count(keepers.length, 'peer')}: ${keepers.map(named).join(', ')}`,
    `any ${lossesBorne} of ${count(keepers.length, 'keeper')} may be lost; kept for ${span(keptUntilMs - Date.now())}, renewed while this peer is up`,
    ...operatorLines(kept.operatorsBorne),
    ...findable,
    `read    ${safe(kept.read, 256)}   (whoever has it reads)`,
    `verify  ${safe(kept.verify, 256)}   (finds and repairs, cannot read)`,
    `the key is kept here   pleach get ${safe(object.slice(-8))} -o ${safe(name)}   pleach key export ${safe(object.slice(-8))}`,
  ]
}
