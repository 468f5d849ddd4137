import { vices } from '../model/vices.ts'
import { compose, type Scenario } from './scenario.ts'
import { storageScenarios, type StorageScenario } from './storage.ts'

const calm: Scenario = {
  name: 'calm',
  about: 'nothing goes wrong',
  peers: 16,
  lendShare: 0.35,
  ledgerShare: 0,
  workload: {
    jobs: 10,
    jobsWithinMs: 10_000,
    gangShare: 0,
    gangSlotsMax: 1,
    cancelShare: 0,
    lookUpShare: 0.2,
    settleShare: 0.05,
    classes: 1,
  },
  network: {
    delayMs: [5, 60],
    lossProbability: 0,
    doubleProbability: 0,
    stragglerProbability: 0,
    stragglerMs: 0,
    uplinkBytesPerMs: 0,
  },
  faults: { crashesMax: 0, freezesMax: 0, diskFullMax: 0, clockJumpsMax: 0, cutsMax: 0, clogsMax: 0, lastsMsMax: 0 },
  faultsUntilMs: 0,
  virtualMs: 300_000,
  skewMsMax: 0,
  dishonestShare: 0,
  vices: [],
  assertions: { paidShareMin: 1 },
}

const lossy: Scenario = {
  ...calm,
  name: 'lossy',
  about: 'a network that loses, doubles, delays and clogs',
  network: {
    delayMs: [5, 200],
    lossProbability: 0.03,
    doubleProbability: 0.03,
    stragglerProbability: 0.02,
    stragglerMs: 3_000,
    uplinkBytesPerMs: 1_000,
  },
  faults: { ...calm.faults, clogsMax: 2, lastsMsMax: 15_000 },
  faultsUntilMs: 40_000,
  assertions: { paidShareMin: 0.98 },
}

const split: Scenario = {
  ...calm,
  name: 'split',
  about: 'peers are cut off from each other, one way or both',
  faults: { ...calm.faults, cutsMax: 4, lastsMsMax: 15_000 },
  faultsUntilMs: 40_000,
  assertions: { paidShareMin: 0.97 },
}

const crashes: Scenario = {
  ...calm,
  name: 'crashes',
  about: 'peers crash, hang, and run out of disk',
  faults: { ...calm.faults, crashesMax: 8, freezesMax: 4, diskFullMax: 1, lastsMsMax: 15_000 },
  faultsUntilMs: 40_000,
  assertions: { paidShareMin: 0.98 },
}

const clocks: Scenario = {
  ...calm,
  name: 'clocks',
  about: 'clocks differ, and jump',
  faults: { ...calm.faults, clockJumpsMax: 3 },
  faultsUntilMs: 40_000,
  skewMsMax: 1_000,
  assertions: { paidShareMin: 0.99 },
}

const liars: Scenario = {
  ...calm,
  name: 'liars',
  about: 'every fifth peer is dishonest in one way or another',
  dishonestShare: 0.2,
  vices,
  assertions: { paidShareMin: 0.93 },
}

const storm: Scenario = {
  ...compose('storm', calm, lossy, split, crashes, clocks, liars),
  about: 'everything goes wrong at once: the network, the disks, the clocks, the peers, and some of them lie',
  workload: { ...calm.workload, gangShare: 0.1, gangSlotsMax: 3, cancelShare: 0.1 },
  faults: {
    crashesMax: 4,
    freezesMax: 3,
    diskFullMax: 1,
    clockJumpsMax: 1,
    cutsMax: 2,
    clogsMax: 1,
    lastsMsMax: 15_000,
  },
  dishonestShare: 0.12,
  assertions: { paidShareMin: 0.92 },
}

/** Fewer peers and jobs, because each life costs more. */
const ledger: Scenario = {
  ...storm,
  name: 'ledger',
  about: 'everything goes wrong, and the books of every peer are the ledger of production, in memory',
  peers: 6,
  lendShare: 0.5,
  ledgerShare: 1,
  workload: { ...storm.workload, jobs: 4, settleShare: 0.3 },
  assertions: { paidShareMin: 0.75 },
}

const settling: Scenario = {
  ...storm,
  name: 'settling',
  about: 'a storm of few peers who work for each other again and again, and settle',
  peers: 6,
  lendShare: 0.7,
  workload: { ...storm.workload, jobs: 14, jobsWithinMs: 25_000, settleShare: 1 },
  assertions: { paidShareMin: 0.8 },
}

const poisoned: Scenario = {
  ...crashes,
  name: 'poisoned',
  about: 'peers look each other up in a DHT of which a third answers what it likes',
  workload: { ...calm.workload, jobs: 20, jobsWithinMs: 40_000, lookUpShare: 1 },
  dishonestShare: 0.35,
  vices: ['poison'],
  assertions: { paidShareMin: 0.97 },
}

const market: Scenario = {
  ...calm,
  name: 'market',
  about: 'a big market in good weather: many classes of work, bids that only some hear of',
  peers: 500,
  workload: { ...calm.workload, jobs: 100, jobsWithinMs: 60_000, classes: 20 },
}

/** One job at three peers, the ground of the trials of single faults (`sim exhaust`). */
const single: Scenario = {
  ...calm,
  name: 'single',
  about: 'one job, one requester, two providers',
  peers: 3,
  lendShare: 0.7,
  workload: { ...calm.workload, jobs: 1, jobsWithinMs: 1_000, lookUpShare: 0 },
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  calm,
  lossy,
  split,
  crashes,
  clocks,
  liars,
  storm,
  ledger,
  settling,
  poisoned,
  market,
  single,
}
export const scenarioDefault = 'storm'

/** The same with so many peers, who want as much each as they did. */
export function withPeers(scenario: Scenario, peers: number): Scenario {
  const jobs = Math.max(1, Math.round((scenario.workload.jobs * peers) / scenario.peers))
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

/** `crashes+lossy` is both at once. Undefined when there is no such scenario. */
export function scenarioNamed(name: string): Scenario | undefined {
  const parts = name.split('+').map((part) => (Object.hasOwn(scenarios, part) ? scenarios[part] : undefined))
  const [first, ...others] = parts
  if (first === undefined || others.includes(undefined)) return undefined
  return others.length === 0 ? first : compose(name, first, ...(others as Scenario[]))
}
