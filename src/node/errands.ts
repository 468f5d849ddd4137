/** The errands of our own jobs: announce, place the inputs, take the log in, fetch the outputs. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { fromString, toString } from 'uint8arrays'

import { decodeObjectManifest } from '../../protocols/erasure/index.ts'
import {
  isComparable,
  outcomeOf,
  type Exit,
  type Grant,
  type LogChannel,
  type ResultDocument,
  type StartOrder,
} from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import {
  RefusedError,
  cidOfDocument,
  refusal,
  signatureBytes,
  type Fault,
  type Gossip,
  type PeerName,
  type Refusal,
} from '../../protocols/wire/index.ts'
import type { JobSpec } from '../control/api.ts'
import type { Clock, Files, Log, Random } from '../environment.ts'
import { AnnouncePace } from '../market/announce-pace.ts'
import { outputKeyOf } from '../market/output-key.ts'
import type { JobErrands } from '../market/job-errands.ts'
import { fetchObject, InconsistentObjectError, NotEnoughShardsError, type FetchReport } from '../storage/fetch.ts'
import type { Mill } from '../storage/mill.ts'
import type { PeerRates } from '../storage/peer-rates.ts'
import type { SealedObject } from '../storage/seal.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import { hashFile } from './hash-file.ts'
import type { JobFiles } from './job-files.ts'
import { inlineGrant, type PreparedInput } from './prepare.ts'
import { sourcesOf } from './sources.ts'
import { placeWhatCanBe } from './workshop.ts'

/** What a job needs that its machine does not know: kept beside its log, so that a restart can go on. */
export interface JobRequest {
  /** Of the job: what is done again under another nonce is described alike. */
  readonly manifest: Uint8Array
  readonly module: PreparedInput
  readonly inputs: readonly PreparedInput[]
  /** Folder for the outputs; null: they stay a tar. */
  readonly out: string | null
  readonly outputKey: Uint8Array
  readonly keepUntilMs: number
  /** Providers after the first; null: as many as by default. */
  readonly retries: number | null
  /** Whether what a stranger makes of it may be compared with what another makes. */
  readonly check: NonNullable<JobSpec['check']>
}

/** How a program ended that was run here to compare. */
export interface Remade {
  readonly exit: Exit
  readonly hasOutputs: boolean
}

export interface StageReport {
  readonly bytes: number
  readonly shards: number
  readonly keepers: readonly PeerName[]
}

export interface CollectReport extends Pick<FetchReport, 'sources' | 'decodedSegments'> {
  readonly files: number
  readonly bytes: number
  readonly out: string | null
}

export interface ErrandDeps {
  readonly self: PeerName
  readonly disk: Files
  readonly mill: Mill
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly gossip: Gossip
  readonly store: ShardStore
  readonly transfer: TransferService
  readonly rates: PeerRates
  readonly files: JobFiles
  /** What we sealed, by CID. */
  sealed(object: string): SealedObject | undefined
  /** Peers that keep shards for others, after a look around. */
  keepers(signal: AbortSignal): Promise<readonly PeerName[]>
  /** Those that are known anyhow. */
  keepersKnown(): readonly PeerName[]
  unpack(tar: string, folder: string): Promise<{ readonly files: number; readonly bytes: number }>
  readonly reporter: {
    onStaged(job: string, report: StageReport): void
    onCollected(job: string, report: CollectReport): void
  }
  onLog(job: string): void
  /** Runs here what another runs for us: how it ended, or null when this machine does not work now. */
  redo(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<Remade | null>
  readonly onFault: (peer: PeerName, fault: Fault) => void
  readonly onSilent: (peer: PeerName) => void
  readonly networkOf: (peer: PeerName) => string | undefined
  readonly operatorOf: (peer: PeerName) => string | undefined
}

export class OwnErrands implements JobErrands {
  readonly #deps: ErrandDeps
  readonly #pace = new AnnouncePace()

  constructor(deps: ErrandDeps) {
    this.#deps = deps
  }

  async remember(job: string, request: JobRequest): Promise<void> {
    const text = JSON.stringify(request, (_key, value: unknown) =>
      value instanceof Uint8Array ? { base64: toString(value, 'base64pad') } : value,
    )
    await writeFile(join(this.#deps.files.folderOf(job), 'request.json'), text, { mode: 0o600 })
  }

  announce(topic: string, bid: Uint8Array, isCall: boolean): void {
    // An envelope ends with its signature, and so has a name.
    const name = toString(bid.subarray(-signatureBytes), 'latin1')
    if (!this.#pace.takes(name, isCall, this.#deps.clock.monotonicMs())) return
    this.#deps.gossip
      .publish(topic, bid)
      .catch((error: unknown) => this.#deps.log('debug', 'the bid was not gossiped', { error }))
  }

  async stage(job: string, signal: AbortSignal): Promise<StartOrder> {
    const request = await this.recall(job)
    // What travels inline waits for nobody: of the outputs, whoever made them has a copy in any case.
    const isInline = [request.module, ...request.inputs].every(({ object }) => object === null)
    const keepers = isInline ? this.#deps.keepersKnown() : await this.#deps.keepers(signal)
    const used = new Set<PeerName>()
    let bytes = 0
    let shards = 0
    const grantOf = async (input: PreparedInput): Promise<Grant> => {
      if (input.object === null) return inlineGrant(input)
      const object = this.#deps.sealed(input.object)
      if (object === undefined) throw new RefusedError(refusal('INPUT_GONE', { object: input.object }))
      const { self } = this.#deps
      const placed = await placeWhatCanBe(this.#deps, object, keepers, request.keepUntilMs, signal)
      for (const { peer } of placed) used.add(peer)
      bytes += placed.length * object.shardBytes
      shards += placed.length
      return {
        guestPath: input.guestPath,
        kind: input.kind,
        manifest: object.manifest,
        key: object.key,
        sources: sourcesOf(object, placed, self),
        inline: new Uint8Array(),
      }
    }
    const module = await grantOf(request.module)
    const inputs: Grant[] = []
    for (const input of request.inputs) inputs.push(await grantOf(input))
    this.#deps.reporter.onStaged(job, { bytes, shards, keepers: [...used] })
    return { module, inputs, outputKey: request.outputKey, outputKeepers: keepers.slice(0, outputKeepersMax) }
  }

  async redo(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<string | null> {
    const made = await this.#deps.redo(lease, order, signal)
    if (made === null || signal.aborted || !isComparable(made.exit.reason)) return null
    const { exit, hasOutputs } = made
    const none = { outputBytes: 0, outputFiles: 0, outputsSha256: null }
    return outcomeOf({ ...exit, ...(hasOutputs ? {} : none), job: lease.award.body.job })
  }

  openLog(job: string, slot: number, lease: string): Readonly<Record<LogChannel, number>> {
    return this.#deps.files.openLog(placeOf(job, slot), lease)
  }

  appendLog(job: string, slot: number, channel: LogChannel, bytes: Uint8Array): void {
    this.#deps.files.append(placeOf(job, slot), channel, bytes)
    this.#deps.onLog(job)
  }

  async collect(job: string, document: ResultDocument, outputs: Grant | null, signal: AbortSignal): Promise<void> {
    const { files } = this.#deps
    const place = placeOf(job, document.slot)
    for (const channel of ['stdout', 'stderr'] as const) {
      if ((await files.sha256(place, channel)) !== document[channel].sha256)
        throw new RefusedError(refusal('LOG_DIFFERS', { channel }))
    }
    const request = await this.recall(job)
    if (outputs === null)
      return this.#deps.reporter.onCollected(job, { files: 0, bytes: 0, out: null, sources: [], decodedSegments: 0 })
    const named = cidOfDocument(outputs.manifest) === document.outputs
    // They are billed by their size: a tar is never smaller than what is in it.
    if (!named || decodeObjectManifest(outputs.manifest).bytes < document.outputBytes)
      throw new RefusedError(refusal('OUTPUTS_DIFFER'))
    const path = files.outputsTar(place)
    const { manifest, sources } = outputs
    const report = await fetchObject(
      this.#deps,
      { manifest, key: outputKeyOf(request.outputKey, document.lease), sources, path },
      signal,
    )
    // Without this the outcome of a job would be what its provider says.
    const { sha256 } = await hashFile(path, signal)
    if (sha256 !== document.outputsSha256) throw new RefusedError(refusal('OUTPUTS_DIFFER'))
    const out = request.out === null ? null : outOf(request.out, document.slot)
    const unpacked =
      out === null ? { files: document.outputFiles, bytes: document.outputBytes } : await this.#unpack(path, out)
    this.#deps.reporter.onCollected(job, {
      ...unpacked,
      out,
      sources: report.sources,
      decodedSegments: report.decodedSegments,
    })
  }

  /** The folder appears whole or not at all. It was empty, or not there, when the job was taken in. */
  async #unpack(tar: string, out: string): Promise<{ readonly files: number; readonly bytes: number }> {
    const partial = `${out}.partial`
    await rm(partial, { recursive: true, force: true })
    const unpacked = await this.#deps.unpack(tar, partial)
    await rm(out, { recursive: true, force: true })
    await rename(partial, out)
    await rm(tar, { force: true })
    return unpacked
  }

  /** What was remembered of a job. Rejects when that is gone. */
  async recall(job: string): Promise<JobRequest> {
    const text = await readFile(join(this.#deps.files.folderOf(job), 'request.json'), 'utf8')
    return JSON.parse(text, (_key, value: unknown) =>
      isBase64(value) ? fromString(value.base64, 'base64pad') : value,
    ) as JobRequest
  }
}

/** The first place of a job has the job's own folders; each of the others has one within. */
function placeOf(folder: string, slot: number): string {
  return slot === 0 ? folder : join(folder, `slot-${slot}`)
}

/** Beside it, for the others: a folder of outputs appears whole. */
function outOf(folder: string, slot: number): string {
  return slot === 0 ? folder : `${folder}.slot-${slot}`
}

/** Keepers named to a provider for the outputs. */
const outputKeepersMax = 32

function isBase64(value: unknown): value is { base64: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.keys(value).length === 1 &&
    typeof (value as { base64?: unknown }).base64 === 'string'
  )
}

/** What went wrong with an errand, as a code that a person can look up. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof RefusedError) return { code: error.code, facts: error.facts }
  if (error instanceof NotEnoughShardsError)
    return refusal('NOT_ENOUGH_SHARDS', { need: error.need, have: error.have, missing: error.missing.join(',') })
  if (error instanceof InconsistentObjectError) return refusal('OBJECT_INCONSISTENT')
  return refusal('FAILED', { reason: error instanceof Error ? error.message : String(error) })
}
