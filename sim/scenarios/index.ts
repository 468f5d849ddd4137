import { join } from 'node:path'

import { loadFile, loadFolder } from './load.ts'
import { compose, type Scenario } from './scenario.ts'
import { storageScenarios, type StorageScenario } from './storage.ts'

export const scenarios: Readonly<Record<string, Scenario>> = Object.fromEntries(
  loadFolder(join(import.meta.dirname, 'mesh')),
)
export const scenarioDefault = 'storm'
export const liveScenarioDefault = 'boot'
/** A mesh of degree 4 needs some to choose from. */
export const livePeersMin = 8
/** In one process. */
export const livePeersMax = 2_000

/** The same with so many peers, who want as much each as they did. */
export function withPeers(scenario: Scenario, peers: number): Scenario {
  const wanted = scenario.workload.jobs
  const jobs = wanted === 0 ? 0 : Math.max(1, Math.round((wanted * peers) / scenario.peers))
  return { ...scenario, peers, workload: { ...scenario.workload, jobs } }
}

export function isStorage(scenario: Scenario | StorageScenario): scenario is StorageScenario {
  return 'objects' in scenario
}

/** Those of the mesh and those of its storage. */
export const allScenarios: readonly (Scenario | StorageScenario)[] = [
  ...Object.values(scenarios),
  ...Object.values(storageScenarios),
]

export function storageScenarioNamed(name: string): StorageScenario | undefined {
  return Object.hasOwn(storageScenarios, name) ? storageScenarios[name] : undefined
}

/** `crashes+lossy` is both at once, `my.yaml` a file. Undefined when there is no such scenario; throws ScenarioError for a bad file. */
export function scenarioNamed(name: string): Scenario | undefined {
  if (name.endsWith('.yaml')) return loadFile(name, scenarioNamed)
  const parts = name.split('+').map((part) => (Object.hasOwn(scenarios, part) ? scenarios[part] : undefined))
  const [first, ...others] = parts
  if (first === undefined || others.includes(undefined)) return undefined
  return others.length === 0 ? first : compose(name, first, ...(others as Scenario[]))
}
