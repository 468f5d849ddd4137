/** Work for others: fetch what a lease names, run it, seal what it made. One folder a lease, gone when the lease is over. */
import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import {
  decodeJobManifest,
  type Execution,
  type Grant,
  type JobManifest,
  type Meter,
  type StartOrder,
  type TaskState,
} from '../../protocols/execute/index.ts'
import type { Lease } from '../../protocols/negotiate/index.ts'
import { RefusedError, cidOfDocument, refusal, type Fault, type PeerName } from '../../protocols/wire/index.ts'
import type { TransferService } from '../../protocols/transfer/index.ts'
import type { Clock, Files, Log } from '../environment.ts'
import type { ContainerTask, ExecutionInput, ExecutionLimits, ExecutionWatch, Executor } from '../execution/executor.ts'
import type { Carry } from '../market/carry.ts'
import type { LeaseState } from '../market/lease-machine.ts'
import type { Workshop } from '../market/provider-desk.ts'
import { fetchObject } from '../storage/fetch.ts'
import type { Mill } from '../storage/mill.ts'
import type { PeerRates } from '../storage/peer-rates.ts'
import { placeShards, PlacementError, type PlaceDeps, type Placed } from '../storage/place.ts'
import { sealFile, type SealedObject } from '../storage/seal.ts'
import type { ShardStore } from '../storage/shard-store.ts'
import { inBytesOf } from './asking.ts'
import { hashFile } from './hash-file.ts'
import { sourcesOf } from './sources.ts'
import { finished } from './task-exit.ts'
import { TaskLog } from './task-log.ts'

export interface WorkshopDeps {
  readonly self: PeerName
  readonly folder: string
  readonly disk: Files
  readonly mill: Mill
  readonly clock: Clock
  readonly log: Log
  readonly executor: Executor
  readonly store: ShardStore
  readonly transfer: TransferService
  readonly rates: PeerRates
  send(to: PeerName, carry: Carry): void
  readonly onFault: (peer: PeerName, fault: Fault) => void
  readonly onSilent: (peer: PeerName) => void
  readonly networkOf: (peer: PeerName) => string | undefined
  readonly operatorOf: (peer: PeerName) => string | undefined
}

/** How long outputs are kept after the program has ended: the requester may come back late. */
const outputsKeptMs = 60 * 60_000

/** The executor's own folder, in a lease's. */
const runFolder = 'run'

interface Bench {
  readonly folder: string
  readonly log: TaskLog
}

export class LeaseWorkshop implements Workshop {
  readonly #deps: WorkshopDeps
  readonly #benches = new Map<string, Bench>()
  /** Folders of runs that are under way. */
  readonly #runs = new Set<string>()

  constructor(deps: WorkshopDeps) {
    this.#deps = deps
  }

  /** Whatever runs or lies about and belongs to none of these is ended and removed. */
  async start(leases: readonly LeaseState[]): Promise<void> {
    const { folder, executor } = this.#deps
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const kept = new Set(leases.filter(({ task }) => task !== null && hasFiles(task)).map(({ task }) => task!.lease.id))
    for (const name of await readdir(folder)) {
      if (kept.has(name)) continue
      await executor.end(join(folder, name, runFolder))
      await rm(join(folder, name), { recursive: true, force: true })
    }
  }

  async stage(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<{ inBytes: number }> {
    const manifest = decodeJobManifest(lease.award.body.manifest)
    // What was fetched before a restart may be half of a file.
    if (!this.#benches.has(lease.id)) await rm(join(this.#deps.folder, lease.id), { recursive: true, force: true })
    const bench = await this.#bench(lease.id)
    for (const { grant, content, path } of matched(manifest, order, bench.folder))
      await this.#fetch(lease, grant, content, path, signal)
    return { inBytes: inBytesOf(manifest) }
  }

  async run(lease: Lease, _order: StartOrder, onMeter: (meter: Meter) => void, signal: AbortSignal) {
    const { bench, manifest, task, limits } = await this.#work(lease)
    const result = await this.#among(task.keep.folder, async () =>
      this.#deps.executor.run(task, limits, watchOf(bench, onMeter), signal),
    )
    return finished(result, bench.log, manifest, signal)
  }

  /** For ourselves, to compare: nothing of it is kept. Another's lease of a job of ours, which is no lease here. */
  async redo(lease: Lease, order: StartOrder, signal: AbortSignal) {
    try {
      await this.stage(lease, order, signal)
      return await this.run(lease, order, () => {}, signal)
    } finally {
      this.clear(lease.id)
    }
  }

  async attach(lease: Lease, order: StartOrder, onMeter: (meter: Meter) => void, signal: AbortSignal) {
    const { bench, manifest, task, limits } = await this.#work(lease)
    const result = await this.#among(task.keep.folder, async () =>
      this.#deps.executor.attach(task, limits, watchOf(bench, onMeter), signal),
    )
    if (result !== null) return finished(result, bench.log, manifest, signal)
    // The peer died between writing down that it runs and running it.
    for (const path of [task.keep.folder, task.outputsTarPath]) await rm(path, { recursive: true, force: true })
    return this.run(lease, order, onMeter, signal)
  }

  /** Holds all that runs, or lets it go on. What begins to run afterwards is held when this is said again. */
  hold(isHeld: boolean): void {
    const { executor } = this.#deps
    for (const folder of this.#runs) {
      if (isHeld) executor.suspend(folder)
      else executor.resume(folder)
    }
  }

  async #among<Result>(folder: string, work: () => Promise<Result>): Promise<Result> {
    this.#runs.add(folder)
    try {
      return await work()
    } finally {
      this.#runs.delete(folder)
    }
  }

  async seal(lease: Lease, order: StartOrder, signal: AbortSignal): Promise<{ cid: string; outputs: Grant }> {
    const { self, clock } = this.#deps
    const { code } = decodeJobManifest(lease.award.body.manifest)
    const keepUntilMs = clock.nowMs() + outputsKeptMs
    const object = await sealFile(this.#deps, this.#outputs(lease.id), code, order.outputKey, keepUntilMs, signal)
    const keepers = order.outputKeepers.filter((peer) => peer !== self)
    const placed = await placeWhatCanBe(this.#deps, object, keepers, keepUntilMs, signal)
    return {
      cid: object.cid,
      outputs: {
        guestPath: '/in/outputs',
        kind: 'tar',
        manifest: object.manifest,
        key: new Uint8Array(),
        sources: sourcesOf(object, placed, self),
        inline: new Uint8Array(),
      },
    }
  }

  follow(
    lease: string,
    from: PeerName,
    { stdoutOffset, stderrOffset, creditBytes }: Extract<Execution, { say: 'follow' }>,
  ): void {
    const offsets = { stdout: stdoutOffset, stderr: stderrOffset }
    this.#benches
      .get(lease)
      ?.log.follow(offsets, creditBytes, (body) =>
        this.#deps.send(from, { protocol: 'execute', message: { lease, ...body } }),
      )
  }

  clear(lease: string): void {
    const bench = this.#benches.get(lease)
    if (bench === undefined) return
    this.#benches.delete(lease)
    bench.log.close()
    void rm(bench.folder, { recursive: true, force: true }).catch((error: unknown) =>
      this.#deps.log('warn', 'a work folder could not be removed', { lease, error }),
    )
  }

  stop(): void {
    for (const { log } of this.#benches.values()) log.close()
  }

  async #bench(lease: string): Promise<Bench> {
    const known = this.#benches.get(lease)
    if (known !== undefined) return known
    const folder = join(this.#deps.folder, lease)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const bench: Bench = { folder, log: new TaskLog(folder) }
    this.#benches.set(lease, bench)
    return bench
  }

  async #work(lease: Lease) {
    const { body } = lease.award
    const manifest = decodeJobManifest(body.manifest)
    const bench = await this.#bench(lease.id)
    const { resources } = manifest
    const inputs: ExecutionInput[] = manifest.inputs.map(({ kind, path }, index) => ({
      kind,
      guestPath: path,
      hostPath: inputPath(bench.folder, index),
    }))
    const container = containerOf(lease, manifest, bench.folder)
    const task = {
      modulePath: join(bench.folder, 'module'),
      name: manifest.name,
      args: manifest.args,
      env: manifest.env,
      inputs,
      outputsTarPath: this.#outputs(lease.id),
      keep: { folder: join(bench.folder, runFolder), aloneMs: body.reclaimMs },
      ...(manifest.deterministic ? { seed: body.job } : {}),
      ...(manifest.stdin === null ? {} : { stdinPath: join(bench.folder, 'stdin') }),
      ...(container === null ? {} : { container }),
    }
    const limits: ExecutionLimits = {
      wallMs: body.wallMsMax,
      cpuMilli: body.cpuMilli,
      memoryBytes: Math.min(resources.memoryBytes, body.memoryBytes),
      outputBytes: Math.max(1, resources.outputBytes),
      logBytes: Math.max(1, resources.logBytes),
      gas: resources.gas ?? Number.MAX_SAFE_INTEGER,
    }
    return { bench, manifest, task, limits }
  }

  #outputs(lease: string): string {
    return join(this.#deps.folder, lease, 'outputs.tar')
  }

  async #fetch(lease: Lease, grant: Grant, content: Content, path: string, signal: AbortSignal): Promise<void> {
    if (content.object === null) await writeFile(path, grant.inline, { mode: 0o600 })
    else {
      const { manifest, key, sources } = grant
      const report = await fetchObject(
        this.#deps,
        { manifest, key, sources, lastResort: lease.requester, path },
        signal,
      )
      this.#deps.log('info', 'input fetched', {
        object: content.object,
        bytes: report.bytes,
        decodedSegments: report.decodedSegments,
        sources: report.sources,
        failed: report.failed,
      })
    }
    const { bytes, sha256 } = await hashFile(path, signal)
    if (bytes !== content.bytes || sha256 !== content.sha256) {
      throw new RefusedError(
        refusal('INPUT_DIFFERS'),
        `an input is not what the job manifest says (${grant.guestPath || grant.kind})`,
      )
    }
  }
}

interface Content {
  readonly bytes: number
  readonly sha256: string
  readonly object: string | null
}

/** Pairs what the manifest names with what START brings. What does not fit together is not run. */
function matched(
  manifest: JobManifest,
  order: StartOrder,
  folder: string,
): { grant: Grant; content: Content; path: string }[] {
  const stdin = order.inputs.find(({ kind }) => kind === 'stdin')
  const inputs = order.inputs.filter(({ kind }) => kind !== 'stdin')
  const wrong = (what: string): RefusedError =>
    new RefusedError(refusal('GRANTS_DIFFER'), `START does not bring what the job manifest names: ${what}`)
  if (inputs.length !== manifest.inputs.length)
    throw wrong(`${inputs.length} inputs instead of ${manifest.inputs.length}`)
  if ((stdin === undefined) !== (manifest.stdin === null)) throw wrong('stdin')
  const pairs: { grant: Grant; content: Content; path: string }[] = [
    { grant: order.module, content: manifest.module ?? noContent, path: join(folder, 'module') },
  ]
  for (const [index, content] of manifest.inputs.entries()) {
    const grant = inputs[index]!
    if (grant.guestPath !== content.path || grant.kind !== content.kind) throw wrong(grant.guestPath)
    pairs.push({ grant, content, path: inputPath(folder, index) })
  }
  if (stdin !== undefined && manifest.stdin !== null)
    pairs.push({ grant: stdin, content: manifest.stdin, path: join(folder, 'stdin') })
  for (const { grant, content } of pairs) {
    const object = grant.manifest.byteLength === 0 ? null : cidOfDocument(grant.manifest)
    if (object !== content.object) throw wrong(`${grant.guestPath || grant.kind} is another object`)
  }
  return pairs
}

/** What is said in the place of a module that is in a registry. */
const noContent: Content = { bytes: 0, sha256: createHash('sha256').digest('hex'), object: null }

function containerOf(lease: Lease, { container, module }: JobManifest, folder: string): ContainerTask | null {
  if (container === null) return null
  const { image, digest, entrypoint, egress, gpus, service } = container
  return {
    id: lease.id,
    image:
      image === null
        ? { archivePath: join(folder, 'module'), sha256: module?.sha256 ?? '', digest }
        : { archivePath: null, reference: image, digest },
    entrypoint,
    egress,
    gpus,
    service: service === null ? null : { health: service.health },
  }
}

function inputPath(folder: string, index: number): string {
  return join(folder, `input-${index}`)
}

function hasFiles({ at }: TaskState): boolean {
  return at === 'staging' || at === 'running' || at === 'sealing'
}

function watchOf({ log }: Bench, onMeter: (meter: Meter) => void): ExecutionWatch {
  let meter: Meter = { wallMs: 0, cpuMs: 0, memoryBytes: 0, gas: 0 }
  const tell = (change: Partial<Meter>): void => onMeter((meter = { ...meter, ...change }))
  return {
    onLog: (stream, bytes) => log.append(stream, bytes),
    onUsage: ({ wallMs, cpuMs, gas, memoryBytesPeak }) => tell({ wallMs, cpuMs, gas, memoryBytes: memoryBytesPeak }),
    onHealth: (health) => tell({ health }),
  }
}

/** What finds no keeper stays with us alone: better than to fail, since we hold all shards. */
export async function placeWhatCanBe(
  deps: PlaceDeps & { readonly log: Log },
  object: SealedObject,
  candidates: readonly PeerName[],
  keepUntilMs: number,
  signal: AbortSignal,
): Promise<readonly Placed[]> {
  try {
    return await placeShards(deps, { object, candidates, keepUntilMs }, signal)
  } catch (error) {
    if (!(error instanceof PlacementError)) throw error
    deps.log('info', 'not every shard found a keeper', {
      object: object.cid,
      missing: error.missing,
      reasons: error.reasons,
    })
    return error.placed
  }
}
