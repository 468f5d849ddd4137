/** How announcements spread: who heard of each, when, from whom, and in how many copies. */
import { hash } from 'node:crypto'

import type { PeerName } from '../../../protocols/wire/index.ts'
import type { FirstCopy } from '../../../src/host/index.ts'
import type { GossipFindings, Hearing, MessageFindings } from './findings.ts'

/** Messages that are told one by one, and hearings of all of them. Of what is announced after these only copies are counted. */
const messagesMax = 2_000
const hearingsMax = 500_000
/** Names of copies that are remembered, the last ones: a message that is announced again has another. */
const namesMax = 10_000

interface Heard {
  /** Undefined: copies came, but none of them was passed on yet. */
  from: PeerName | undefined
  atMs: number
  copies: number
}

interface Trace {
  id: string | undefined
  published: { readonly author: PeerName; readonly atMs: number } | undefined
  expected: number
  isProbe: boolean
  readonly heard: Map<PeerName, Heard>
}

export class GossipTap {
  /** Of the peers that are watched, those that are there. */
  readonly #listening: () => number
  readonly #nowMs: () => number
  readonly #traces = new Map<string, Trace>()
  readonly #named = new Map<string, Trace>()
  #hearings = 0
  #copies = 0
  #refused = 0
  #heardCount = 0
  #expectedCount = 0

  /** `nowMs`: since the epoch, with a fraction. */
  constructor(listening: () => number, nowMs: () => number) {
    this.#listening = listening
    this.#nowMs = nowMs
  }

  /** Share of those that should have heard of what was announced here that did so far; null before anything was. */
  get coverage(): number | null {
    return this.#expectedCount === 0 ? null : Math.min(1, this.#heardCount / this.#expectedCount)
  }

  /** Whether every peer that should has heard of everything that was announced here. */
  get isAllHeard(): boolean {
    return this.#heardCount >= this.#expectedCount
  }

  /** What is about to be announced is only there to be measured. */
  probe(message: Uint8Array): void {
    const id = idOf(message)
    const trace = this.#traces.get(id) ?? this.#add(id)
    if (trace !== undefined) trace.isProbe = true
  }

  onPublish(author: PeerName, message: Uint8Array): void {
    const id = idOf(message)
    const trace = this.#traces.get(id) ?? this.#add(id)
    if (trace === undefined || trace.published !== undefined) return
    trace.published = { author, atMs: this.#nowMs() }
    trace.expected = this.#listening() - 1
    this.#expectedCount += trace.expected
  }

  onCopy(peer: PeerName, name: string): void {
    this.#copies += 1
    let trace = this.#named.get(name)
    if (trace === undefined) {
      if (this.#named.size >= namesMax) this.#named.delete(this.#named.keys().next().value!)
      trace = { id: undefined, published: undefined, expected: 0, isProbe: false, heard: new Map() }
      this.#named.set(name, trace)
    }
    const heard = trace.heard.get(peer)
    if (heard === undefined) trace.heard.set(peer, { from: undefined, atMs: 0, copies: 1 })
    else heard.copies += 1
  }

  onFirst(peer: PeerName, name: string, { from, message, verdict }: FirstCopy): void {
    const trace = this.#traceOf(name, message)
    if (verdict !== 'accept') this.#refused += 1
    const heard = trace?.heard.get(peer)
    if (trace === undefined || heard === undefined || verdict !== 'accept' || heard.from !== undefined) return
    heard.from = from
    heard.atMs = this.#nowMs()
    if (trace.published !== undefined && trace.published.author !== peer) this.#heardCount += 1
  }

  findings(): GossipFindings {
    const places = new Map<PeerName, number>()
    const place = (name: PeerName): number => {
      let index = places.get(name)
      if (index === undefined) places.set(name, (index = places.size))
      return index
    }
    const messages = [...this.#traces.values()].map(({ id, published, expected, isProbe, heard }): MessageFindings => {
      const hearings: Hearing[] = []
      for (const [peer, { from, atMs, copies }] of heard) {
        // What its author said comes back to it: from nobody, when it was said, and every copy is one too many.
        if (peer === published?.author) hearings.push([place(peer), place(peer), published.atMs, copies])
        else if (from !== undefined) hearings.push([place(peer), place(from), atMs, copies])
      }
      return {
        id: id!,
        published: published === undefined ? null : [place(published.author), published.atMs],
        expected: published === undefined ? this.#listening() : expected,
        isProbe,
        heard: hearings,
      }
    })
    return {
      names: [...places.keys()],
      messages,
      listening: this.#listening(),
      copies: this.#copies,
      refused: this.#refused,
    }
  }

  /** Which message a name stands for is known with its first copy: what was counted under the name is the message's. */
  #traceOf(name: string, message: Uint8Array): Trace | undefined {
    const named = this.#named.get(name)
    if (named?.id !== undefined) return named
    const id = idOf(message)
    const trace = this.#traces.get(id) ?? this.#add(id)
    if (trace === undefined || named === undefined) return trace
    for (const [peer, heard] of named.heard) {
      const before = trace.heard.get(peer)
      if (before === undefined) trace.heard.set(peer, heard)
      else before.copies += heard.copies
    }
    this.#named.set(name, trace)
    return trace
  }

  #add(id: string): Trace | undefined {
    this.#hearings += this.#listening()
    if (this.#traces.size >= messagesMax || this.#hearings > hearingsMax) return undefined
    const trace: Trace = { id, published: undefined, expected: 0, isProbe: false, heard: new Map() }
    this.#traces.set(id, trace)
    return trace
  }
}

function idOf(message: Uint8Array): string {
  return hash('sha256', message, 'base64url')
}
