import type { Scenario } from './scenario.ts'

const calm: Scenario = {
  name: 'calm',
  about: 'nothing goes wrong',
  peers: 16,
  jobs: 10,
  gangShare: 0,
  gangSlotsMax: 1,
  jobsWithinMs: 10_000,
  network: { delayMs: [5, 60], lossProbability: 0, doubleProbability: 0, stragglerProbability: 0, stragglerMs: 0 },
  faults: { crashesMax: 0, freezesMax: 0, diskFullMax: 0, clockJumpsMax: 0, cutsMax: 0, lastsMsMax: 0 },
  faultsUntilMs: 0,
  virtualMs: 180_000,
  skewMsMax: 0,
  dishonestShare: 0,
  vices: [],
}

const storm: Scenario = {
  ...calm,
  name: 'storm',
  about: 'everything goes wrong at once: the network, the disks, the clocks, the peers, and some of them lie',
  gangShare: 0.3,
  gangSlotsMax: 4,
  network: {
    delayMs: [5, 200],
    lossProbability: 0.03,
    doubleProbability: 0.03,
    stragglerProbability: 0.02,
    stragglerMs: 3_000,
  },
  faults: { crashesMax: 4, freezesMax: 3, diskFullMax: 1, clockJumpsMax: 1, cutsMax: 2, lastsMsMax: 15_000 },
  faultsUntilMs: 40_000,
  virtualMs: 240_000,
  skewMsMax: 1_000,
  dishonestShare: 0.15,
  vices: ['over-meter', 'withhold-result', 'no-countersign', 'replay'],
}

const lossy: Scenario = {
  ...calm,
  name: 'lossy',
  about: 'honest peers that never fail on a network that loses, doubles and delays',
  network: storm.network,
}

const crashes: Scenario = {
  ...calm,
  name: 'crashes',
  about: 'honest peers that crash and come back, on a good network',
  faults: { ...storm.faults, crashesMax: 8, freezesMax: 4, cutsMax: 0 },
  faultsUntilMs: 40_000,
  virtualMs: 240_000,
}

export const scenarios: Readonly<Record<string, Scenario>> = { calm, lossy, crashes, storm }
export const scenarioDefault = 'storm'
