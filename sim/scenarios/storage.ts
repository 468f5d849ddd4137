/** Scenarios of the storage model (model/storage-world.ts). */
import type { Code } from '../../protocols/erasure/index.ts'
import { keeperVices, type KeeperVice } from '../model/keeper-vices.ts'
import type { CarePace } from '../model/storage-caring.ts'
import { calmStreams, type StreamFaults } from '../model/streams.ts'

export interface StorageScenario {
  readonly name: string
  readonly about: string
  readonly peers: number
  readonly objects: number
  /** Spread evenly over the orders of magnitude; some are of no bytes. */
  readonly objectBytesMin: number
  readonly objectBytesMax: number
  readonly codes: readonly Code[]
  /** Of all objects: those that are longer than a segment, and cost most. */
  readonly longProbability: number
  /** Objects are put within this. */
  readonly putsWithinMs: number
  /** How often each is read while things go wrong. */
  readonly readsMax: number
  /** For how long an object is kept; some for so short a time that it expires meanwhile. */
  readonly keptMs: number
  readonly shortKeptMs: number
  readonly shortProbability: number
  readonly quotaBytes: number
  /** Of that, for one owner. */
  readonly ownerBytesMax: number
  readonly streams: StreamFaults
  readonly faults: {
    readonly crashesMax: number
    /** Crashes right after an effect on the disk, picked by number. */
    readonly crashesInEffectsMax: number
    /** Of all crashes: those that take the power too. */
    readonly powerShare: number
    readonly freezesMax: number
    readonly diskFullMax: number
    readonly slowDisksMax: number
    readonly rotsMax: number
    readonly cutsMax: number
    /** Disks that are lost with all that was on them, and peers that are. */
    readonly wipesMax: number
    readonly goneMax: number
    readonly lastsMsMax: number
  }
  /** After this nothing goes wrong any more, and all is read again. */
  readonly faultsUntilMs: number
  readonly skewMsMax: number
  readonly dishonestShare: number
  readonly vices: readonly KeeperVice[]
  /** Longest term that keepers take. */
  readonly termMsMax: number
  /** Null: objects are put and read, and nobody looks after them. */
  readonly care: {
    readonly pace: CarePace
    /** Of all objects: those that somebody else looks after too. */
    readonly pinShare: number
    /** How often a look at the DHT comes to nothing, while things go wrong. */
    readonly boardFails: number
    /** So long after the last fault a keeper loses its disk all the same, and all who look after objects look at once. */
    readonly lossMs: number
    /** How long they are looked after when nothing goes wrong any more, before all is read again. */
    readonly calmMs: number
  } | null
}

const calm: StorageScenario = {
  name: 'storage-calm',
  about: 'objects are put and read, and nothing goes wrong',
  peers: 12,
  objects: 6,
  objectBytesMin: 1,
  objectBytesMax: 200_000,
  codes: [
    { k: 1, m: 2 },
    { k: 2, m: 1 },
    { k: 2, m: 2 },
    { k: 4, m: 2 },
    { k: 4, m: 2 },
    { k: 8, m: 8 },
  ],
  longProbability: 0.005,
  putsWithinMs: 60_000,
  readsMax: 2,
  keptMs: 2 * 60 * 60_000,
  shortKeptMs: 90_000,
  shortProbability: 0.15,
  quotaBytes: 1_500_000,
  ownerBytesMax: 800_000,
  streams: calmStreams,
  faults: {
    crashesMax: 0,
    crashesInEffectsMax: 0,
    powerShare: 0,
    freezesMax: 0,
    diskFullMax: 0,
    slowDisksMax: 0,
    rotsMax: 0,
    cutsMax: 0,
    wipesMax: 0,
    goneMax: 0,
    lastsMsMax: 0,
  },
  faultsUntilMs: 90_000,
  skewMsMax: 0,
  dishonestShare: 0,
  vices: [],
  termMsMax: 24 * 60 * 60_000,
  care: null,
}

const storm: StorageScenario = {
  ...calm,
  name: 'storage',
  about: 'objects among keepers that crash, lose power, rot, fill up, hang, are cut off, and some of them lie',
  streams: {
    delayMs: [2, 120],
    stallProbability: 0.02,
    stallMs: [200, 5_000],
    resetProbability: 0.004,
    bytesPerMs: 4_000,
  },
  faults: {
    crashesMax: 5,
    crashesInEffectsMax: 4,
    powerShare: 0.6,
    freezesMax: 3,
    diskFullMax: 2,
    slowDisksMax: 2,
    rotsMax: 4,
    cutsMax: 2,
    wipesMax: 0,
    goneMax: 0,
    lastsMsMax: 25_000,
  },
  skewMsMax: 1_000,
  dishonestShare: 0.2,
  vices: keeperVices,
}

const power: StorageScenario = {
  ...calm,
  name: 'storage-power',
  about: 'honest keepers that lose their power again and again, on a good network',
  faults: { ...storm.faults, crashesMax: 12, crashesInEffectsMax: 12, powerShare: 1, rotsMax: 0, cutsMax: 0 },
  shortProbability: 0,
}

const broken: StorageScenario = {
  ...storm,
  name: 'storage-broken',
  about: 'shards of several blocks on a network that breaks off: what came is kept, gone on with, or given up',
  objects: 4,
  objectBytesMin: 100_000,
  objectBytesMax: 400_000,
  codes: [
    { k: 1, m: 2 },
    { k: 2, m: 2 },
  ],
  quotaBytes: 1_000_000,
  ownerBytesMax: 800_000,
  streams: { ...storm.streams, resetProbability: 0.03 },
}

/** What is put comes to three or four times what all lend. */
const tight: StorageScenario = {
  ...storm,
  name: 'storage-tight',
  about: 'keepers that lend little, and are asked for more by several at once',
  objects: 12,
  objectBytesMin: 60_000,
  codes: [
    { k: 1, m: 2 },
    { k: 2, m: 2 },
  ],
  putsWithinMs: 20_000,
  quotaBytes: 160_000,
  ownerBytesMax: 140_000,
}

const minute = 60_000

const care: StorageScenario = {
  ...storm,
  name: 'storage-care',
  about:
    'objects that are audited, repaired and renewed by two peers each, among keepers that also go for good, or lose their disks',
  objects: 4,
  longProbability: 0,
  putsWithinMs: 5 * minute,
  shortKeptMs: 35 * minute,
  shortProbability: 0.3,
  quotaBytes: 2_500_000,
  ownerBytesMax: 1_200_000,
  faults: { ...storm.faults, crashesMax: 8, wipesMax: 2, goneMax: 2, lastsMsMax: 10 * minute },
  faultsUntilMs: 60 * minute,
  termMsMax: 31 * 24 * 60 * minute,
  care: {
    pace: { tendEveryMs: 8 * minute, scrubEveryMs: 12 * minute, sweepEveryMs: 10 * minute },
    pinShare: 0.7,
    boardFails: 0.2,
    lossMs: 35 * minute,
    calmMs: 90 * minute,
  },
}

export const storageScenarios: Readonly<Record<string, StorageScenario>> = {
  [storm.name]: storm,
  [calm.name]: calm,
  [power.name]: power,
  [broken.name]: broken,
  [tight.name]: tight,
  [care.name]: care,
}
export const storageScenarioDefault = storm.name
