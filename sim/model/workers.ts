/** A campaign in several threads: each lives a part of the seeds. The report is that of one thread, but for the time it took. */
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

import type { Scenario } from '../scenarios/scenario.ts'
import { lifeFacts, type LifeFacts } from '../report/lives.ts'
import { reportOf, tally, type CampaignOptions, type CampaignReport, type Tally } from './campaign.ts'

interface Part {
  readonly scenario: Scenario
  readonly options: CampaignOptions
  /** Whether every life is to be told of. */
  readonly tells: boolean
}

type FromWorker = { readonly life: LifeFacts } | { readonly tally: Tally }

export async function runSeedsIn(
  workers: number,
  scenario: Scenario,
  options: CampaignOptions,
  onLife?: (life: LifeFacts) => void,
): Promise<CampaignReport> {
  const beganMs = performance.now()
  const each = Math.ceil(options.seeds / workers)
  const parts = Array.from({ length: workers }, (_, index): Part => {
    const from = options.from + index * each
    return {
      scenario,
      tells: onLife !== undefined,
      options: { ...options, from, seeds: Math.max(0, Math.min(each, options.from + options.seeds - from)) },
    }
  })
  const tallies = await Promise.all(parts.map((part) => inWorker(part, onLife)))
  return reportOf(scenario, tallies, (performance.now() - beganMs) / 1000)
}

async function inWorker(part: Part, onLife?: (life: LifeFacts) => void): Promise<Tally> {
  const worker = new Worker(new URL(import.meta.url), { workerData: part })
  const { promise, resolve, reject } = Promise.withResolvers<Tally>()
  worker.on('message', (message: FromWorker) => {
    if ('life' in message) onLife?.(message.life)
    else resolve(message.tally)
  })
  worker.once('error', reject)
  worker.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)))
  return promise
}

if (!isMainThread && parentPort !== null) {
  const { scenario, options, tells } = workerData as Part
  const port = parentPort
  const say = (message: FromWorker): void => port.postMessage(message)
  const onLife = (...life: Parameters<typeof lifeFacts>): void => say({ life: lifeFacts(...life) })
  say({ tally: await tally(scenario, options, tells ? onLife : undefined) })
}
