/** What a keeper knows of objects, in memory. */
import type { DossierEntry, DossierIndex } from '../../src/storage/dossier-index.ts'
import type { MemoryIndex } from './shards.ts'

export class MemoryDossiers implements DossierIndex {
  readonly entries = new Map<string, DossierEntry>()
  readonly shards: MemoryIndex
  constructor(shards: MemoryIndex) {
    this.shards = shards
  }
  async put(entry: DossierEntry) {
    this.entries.set(entry.object, entry)
  }
  get(object: string) {
    return this.entries.get(object)
  }
  async delete(object: string) {
    this.entries.delete(object)
  }
  countOf(root: string) {
    return [...this.entries.values()].filter((entry) => entry.root === root).length
  }
  advertised(limit: number) {
    return [...this.entries.values()].flatMap((entry) => (entry.isAdvertised ? [entry.object] : [])).slice(0, limit)
  }
  stray() {
    return [...this.entries.values()].filter(({ root }) => this.shards.get(root) === undefined)
  }
}
