/** A campaign in several threads: each lives a part of the seeds. The report is that of one thread, but for the time it took. */
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'

import type { Scenario } from '../scenarios/scenario.ts'
import { reportOf, tally, type CampaignOptions, type CampaignReport, type Tally } from './campaign.ts'

interface Part {
  readonly scenario: Scenario
  readonly options: CampaignOptions
}

export async function runSeedsIn(
  workers: number,
  scenario: Scenario,
  options: CampaignOptions,
): Promise<CampaignReport> {
  const beganMs = performance.now()
  const each = Math.ceil(options.seeds / workers)
  const parts = Array.from({ length: workers }, (_, index): Part => {
    const from = options.from + index * each
    return {
      scenario,
      options: { ...options, from, seeds: Math.max(0, Math.min(each, options.from + options.seeds - from)) },
    }
  })
  const tallies = await Promise.all(parts.map(inWorker))
  return reportOf(scenario, tallies, (performance.now() - beganMs) / 1000)
}

async function inWorker(part: Part): Promise<Tally> {
  const worker = new Worker(new URL(import.meta.url), { workerData: part })
  const { promise, resolve, reject } = Promise.withResolvers<Tally>()
  worker.once('message', resolve)
  worker.once('error', reject)
  worker.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)))
  return promise
}

if (!isMainThread && parentPort !== null) {
  const { scenario, options } = workerData as Part
  parentPort.postMessage(await tally(scenario, options))
}
