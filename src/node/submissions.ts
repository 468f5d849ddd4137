/** Jobs of this peer's owner on their way in: described, sealed, written down and bid for; or only estimated. */
import { toString } from 'uint8arrays'

import type { Ask } from '../../protocols/bid/index.ts'
import { parseCode } from '../../protocols/erasure/index.ts'
import { decodeJobManifest, encodeJobManifest, reclaimMsDefault } from '../../protocols/execute/index.ts'
import { cidOfDocument, formatMicro, type PeerName } from '../../protocols/wire/index.ts'
import { nodesMax, offerWishSchema } from '../config/job-spec.ts'
import {
  ControlError,
  type EstimateView,
  type JobExplanationView,
  type JobSpec,
  type JobView,
  type OfferWish,
} from '../control/api.ts'
import type { Clock, Random } from '../environment.ts'
import { jobsOpenMax, type RequesterDesk } from '../market/requester-desk.ts'
import type { JobTerms } from '../market/terms.ts'
import { requirementsOf, wishesOf } from './asking.ts'
import type { OwnErrands } from './errands.ts'
import { shortJob, type JobBook } from './job-book.ts'
import { median, type Matchmaker } from './matchmaker.ts'
import { inputsKeptMs, type OwnObjects } from './objects.ts'
import { checkOut, engineOf, prepareJob, priceOf, resourcesOf, type PreparedJob } from './prepare.ts'
import { rerunnable, type RerunOptions } from './rerun.ts'
import { estimateOf, newJobView, peerView } from './views.ts'

export interface SubmissionDeps {
  readonly self: PeerName
  readonly unit: string
  readonly clock: Clock
  readonly random: Random
  readonly requester: RequesterDesk
  readonly matchmaker: Matchmaker
  readonly objects: OwnObjects
  readonly book: JobBook
  readonly errands: OwnErrands
  packFolder(path: string): Promise<string>
  /** Throws a ControlError IN_DOUBT or DISK_LOW. */
  checkMayBegin(): void
  /** Looks who could do it, among neighbours and further, as far as that is found within seconds. */
  look(ask: Ask, signal: AbortSignal): Promise<void>
}

const paymentIntervalMs = 5_000
const paymentIntervalMsMax = 60_000
const collectWithinMs = 10 * 60_000
/** How long a job waits for a provider when its owner does not say: not long when nobody that is known would fit. */
const bidWaitMsDefault = 15_000
const hopelessWaitMs = 1_000
/** How long its owner waits until it is known that there is no hope. */
const lookWithinMs = 1_000
const retriesDefault = 2
/** From a bid to the start of the program when no job of ours has started yet: offers are awaited, a child process is started. */
const startGuessMs = 1_000
/** Messages that wait for each other: offer, award, accept, commit, and the module with its inputs. */
const tripsToStart = 5
const keyBytes = 32
const nonceBytes = 16

export class Submissions {
  readonly #deps: SubmissionDeps

  constructor(deps: SubmissionDeps) {
    this.#deps = deps
  }

  /** Durable when it resolves. Throws a ControlError. */
  async submit(spec: JobSpec, signal: AbortSignal): Promise<JobView> {
    const { objects, unit } = this.#deps
    this.#checkBegin()
    if (spec.out !== undefined) await checkOut(spec.out)
    const prepared = await prepareJob(
      spec,
      {
        unit,
        parseCode,
        nonce: () => this.#nonce(),
        packFolder: async (path) => this.#deps.packFolder(path),
        seal: async (path, code, sealing) =>
          (await objects.seal(path, code, inputsKeptMs, `input of ${spec.name ?? 'a job'}`, sealing)).cid,
      },
      signal,
    )
    return this.#begin(prepared, { ...spec, runtime: prepared.manifest.engine }, signal)
  }

  /**
   * The same work again under another nonce, which makes it another job: the same program, arguments, inputs and limits. Throws
   * a ControlError when it is still at work, or what it needs is not here any more.
   */
  async rerun(view: JobView, { out }: RerunOptions, signal: AbortSignal): Promise<JobView> {
    this.#checkBegin()
    if (out !== undefined) await checkOut(out)
    const { request, asked } = await rerunnable(view, this.#deps)
    const manifest = { ...decodeJobManifest(request.manifest), nonce: this.#nonce() }
    const { job, bytes } = encodeJobManifest(manifest)
    const { module, inputs, retries, check } = request
    const spec = { ...asked, check, ...(retries === null ? {} : { retries }), ...(out === undefined ? {} : { out }) }
    return this.#begin({ job, manifest, manifestBytes: bytes, module, inputs }, spec, signal)
  }

  async #begin(
    prepared: PreparedJob,
    spec: OfferWish & Pick<JobSpec, 'out' | 'retries' | 'waitMs' | 'check'>,
    signal: AbortSignal,
  ): Promise<JobView> {
    const { self, requester, random, unit, clock, book, errands, matchmaker } = this.#deps
    const nowMs = clock.nowMs()
    const { deterministic } = prepared.manifest
    const described = { job: prepared.job, manifest: prepared.manifestBytes, ...prepared.manifest }
    const check = spec.check ?? 'strangers'
    const asked = this.#termsOf(spec, described, spec.waitMs ?? bidWaitMsDefault, nowMs)
    let terms: JobTerms = { ...asked, checksStrangers: deterministic && check === 'strangers' }
    let fitting = matchmaker.fitting(terms)
    if (spec.waitMs === undefined && fitting === 0) {
      // Somebody may have come that we have not heard of.
      await this.#look(terms, signal)
      fitting = matchmaker.fitting(terms)
      if (fitting === 0) terms = { ...terms, bidUntilMs: nowMs + hopelessWaitMs }
    }
    terms = { ...terms, fitting }
    await errands.remember(prepared.job, {
      manifest: prepared.manifestBytes,
      module: prepared.module,
      inputs: prepared.inputs,
      out: spec.out ?? null,
      outputKey: random.bytes(keyBytes),
      keepUntilMs: nowMs + inputsKeptMs,
      retries: spec.retries ?? null,
      check,
    })
    const view = newJobView(
      prepared.job,
      {
        name: prepared.manifest.name,
        role: 'requester',
        unit,
        out: null,
        requester: peerView(self),
        provider: null,
        lease: null,
        asked: wishIn(spec),
      },
      nowMs,
    )
    book.open(view)
    await requester.submit(terms)
    return view
  }

  /** What it would cost and whether it could begin, by the records and by asking a few. Nothing is sealed, and nobody is bound. */
  async estimate(spec: JobSpec, signal: AbortSignal): Promise<EstimateView> {
    const { unit, matchmaker, book } = this.#deps
    const terms = this.#termsOfWish(spec)
    const { cpuHourMicro, rttMs, ...estimate } = await matchmaker.estimate(terms, signal)
    const places = Array.from(cpuHourMicro, (price) => estimateOf(terms, price))
    return {
      v: 1,
      ...estimate,
      startInMs: cpuHourMicro.length === 0 ? null : (median(book.startsMs()) ?? startGuessMs + tripsToStart * rttMs),
      costFrom: places[0] ?? null,
      costTo: places.at(-1) ?? null,
      pricesPerCpuHour: cpuHourMicro.map(formatMicro),
      unit,
    }
  }

  /** Of those that are known, who would fit such a job and why the others do not. */
  find(wish: OfferWish): ReturnType<Matchmaker['find']> & { readonly requirements: JobTerms['requirements'] } {
    const terms = this.#termsOfWish(wish)
    return { ...this.#deps.matchmaker.find(terms), requirements: terms.requirements }
  }

  /** Why each that is known did not take a job of ours. */
  async explain({ id, role, provider, asked }: JobView, signal: AbortSignal): Promise<JobExplanationView> {
    if (role !== 'requester' || asked === undefined) {
      throw new ControlError({
        code: 'NOT_FOUND',
        what: `nothing is known of what ${shortJob(id)} asked for`,
        why: role === 'requester' ? 'it was run before this was kept' : 'it is work for another peer, who asked',
        cure: 'pleach jobs',
        exit: 2,
      })
    }
    const terms = { ...this.#termsOfWish(asked), job: id }
    return { v: 1, job: id, providers: await this.#deps.matchmaker.verdicts(terms, provider?.peer, signal) }
  }

  /** Of a job that is only thought of. */
  #termsOfWish(wish: OfferWish): JobTerms {
    const described = {
      job: cidOfDocument(new Uint8Array()),
      manifest: new Uint8Array(),
      engine: engineOf(wish),
      resources: resourcesOf(wish),
      price: priceOf(wish, this.#deps.unit),
    }
    return this.#termsOf(wish, described, bidWaitMsDefault, this.#deps.clock.nowMs())
  }

  #nonce(): string {
    return toString(this.#deps.random.bytes(nonceBytes), 'hex')
  }

  #checkBegin(): void {
    this.#deps.checkMayBegin()
    if (this.#deps.requester.openJobs < jobsOpenMax) return
    throw new ControlError({
      code: 'TOO_MANY_JOBS',
      what: `${jobsOpenMax} jobs are open already`,
      why: 'each of them is watched',
      cure: 'pleach jobs',
      exit: 6,
    })
  }

  async #look(terms: JobTerms, signal: AbortSignal): Promise<void> {
    using deadline = this.#deps.clock.deadline(lookWithinMs, signal)
    await this.#deps.look(terms, deadline.signal)
  }

  #termsOf(
    spec: OfferWish & Pick<JobSpec, 'retries'>,
    {
      job,
      manifest,
      price,
      ...described
    }: Pick<JobTerms, 'job' | 'manifest'> &
      Parameters<typeof requirementsOf>[1] & { readonly price: ReturnType<typeof priceOf> },
    waitMs: number,
    nowMs: number,
  ): JobTerms {
    return {
      job,
      manifest,
      unit: this.#deps.unit,
      cpuHourMicroMax: price.cpuHourMicroMax,
      ceilingMicro: price.ceilingMicro,
      class: 'compute',
      slots: nodesOf(spec),
      requirements: requirementsOf(spec, described),
      wishes: wishesOf(spec),
      checksStrangers: false,
      paymentIntervalMs,
      paymentIntervalMsMax,
      reclaimMs: reclaimMsDefault,
      collectWithinMs,
      retriesMax: spec.retries ?? retriesDefault,
      fitting: 0,
      bidFromMs: nowMs,
      bidUntilMs: nowMs + waitMs,
    }
  }
}

/** The part of a job that says who could do it. */
function wishIn(spec: OfferWish): OfferWish {
  const parsed: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(spec)) if (Object.hasOwn(offerWishSchema.shape, name)) parsed[name] = value
  return parsed
}

function nodesOf({ nodes = 1 }: Pick<JobSpec, 'nodes'>): number {
  if (Number.isInteger(nodes) && nodes >= 1 && nodes <= nodesMax) return nodes
  throw new ControlError({
    code: 'BAD_SPEC',
    what: `${nodes} is no number of providers`,
    why: `a job runs on 1 to ${nodesMax} at the same time`,
    cure: 'nodes: 2',
    exit: 2,
  })
}
