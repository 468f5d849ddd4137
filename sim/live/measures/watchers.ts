/** Those who watch one host, while it lives and after it was started again. */
import type { FirstCopy, HostWatch, QueryKind, QueryWatch, TrafficWatch } from '../../../src/host/index.ts'

export class Watchers implements HostWatch {
  readonly traffic: TrafficWatch | undefined
  readonly #watchers = new Set<Partial<HostWatch>>()

  /** `traffic`: what counts what the host sends, where nothing else does. */
  constructor(traffic?: TrafficWatch) {
    this.traffic = traffic
  }

  /** The returned function ends it. */
  add(watcher: Partial<HostWatch>): () => void {
    this.#watchers.add(watcher)
    return () => void this.#watchers.delete(watcher)
  }

  onPublish(topic: string, message: Uint8Array): void {
    for (const watcher of this.#watchers) watcher.onPublish?.(topic, message)
  }

  onCopy(name: string): void {
    for (const watcher of this.#watchers) watcher.onCopy?.(name)
  }

  onFirst(name: string, copy: FirstCopy): void {
    for (const watcher of this.#watchers) watcher.onFirst?.(name, copy)
  }

  onQuery(kind: QueryKind, key: Uint8Array): QueryWatch {
    const all = [...this.#watchers].flatMap((watcher) => watcher.onQuery?.(kind, key) ?? [])
    return {
      onRequest: () => all.forEach((one) => one.onRequest()),
      onFailure: () => all.forEach((one) => one.onFailure()),
      onEnd: () => all.forEach((one) => one.onEnd()),
    }
  }
}
