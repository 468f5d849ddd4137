/** What a scenario file may say. One schema reads the files, types the scenario and words the errors. */
import { z } from 'zod'

import { liveVices } from '../live/vices/names.ts'
import { tricks } from '../model/sybils.ts'
import { vices } from '../model/vices.ts'

/** What can happen to live peers. */
export const liveFaults = [
  /** Stops in good order, and takes its record back. */
  'leave',
  /** Hangs: nothing comes from it or reaches it, and nothing is closed. */
  'freeze',
  /** Ends at once, as by SIGKILL, and comes back with what was durable. */
  'restart',
  /** The same, and its disk is empty when it comes back. */
  'lose-disk',
  /** Two halves do not reach each other, */
  'partition',
  /** … or the one half does not reach the other. */
  'one-way',
  /** Has a small part of its bandwidth. */
  'slow',
  'disk-full',
  /** Its clock jumps. */
  'clock',
  /** Nobody reaches it by dialling: it is behind a NAT. */
  'nat',
  /** Peers go, in good order or not, and come back, all the time. */
  'churn',
] as const
export type LiveFaultKind = (typeof liveFaults)[number]

const count = z.int().min(0).max(10_000_000)
const share = z.number().min(0).max(1)
const ms = z
  .int()
  .min(0)
  .max(24 * 60 * 60_000)

const workload = z.strictObject({
  jobs: count,
  /** Jobs are asked for within this. */
  jobsWithinMs: ms,
  /** Share of the jobs that need several places at once, and how many at most. */
  gangShare: share,
  gangSlotsMax: z.int().min(1).max(64),
  /** Share of the jobs that are taken back at some moment. */
  cancelShare: share,
  /** Share of the jobs before which their requester looks for providers in the DHT. */
  lookUpShare: share,
  /** Share of the lives in which accounts are settled. */
  settleShare: share,
  /** Peers that ask, of those that want anything; 0: all of them. */
  askers: count,
  /** Whether every job may cost as much as anybody asks for; otherwise some pay too little for most. */
  paysAll: z.boolean(),
  /** Share of the jobs that are deterministic, so that what strangers make of them is compared. */
  comparedShare: share,
  /** Classes of work; a peer hears of the bids of one. */
  classes: z.int().min(1).max(10_000),
  /** The first jobs of all, by which peers learn of each other: how it went with the others is what is measured. */
  warmUpJobs: count,
})

const network = z.strictObject({
  delayMs: z.tuple([ms, ms]),
  lossProbability: share,
  doubleProbability: share,
  /** A frame that is much later than the others: what comes after overtakes it. */
  stragglerProbability: share,
  stragglerMs: ms,
  /** What one peer can send, in bytes a millisecond; 0 is without limit. */
  uplinkBytesPerMs: z.number().min(0),
})

/** At most so many of each in one life, and how long one lasts at most. */
const faults = z.strictObject({
  crashesMax: count,
  freezesMax: count,
  diskFullMax: count,
  clockJumpsMax: count,
  cutsMax: count,
  clogsMax: count,
  lastsMsMax: ms,
})

/** What the run as a whole must show, beyond the invariants. Shares are of all jobs of all lives. */
const assertions = z.strictObject({
  paidShareMin: share,
  /** Of the jobs after the warm-up: those that an honest provider did. */
  successShareMin: share,
  /** Of what was signed for after the warm-up: what went to the dishonest. */
  liarShareMax: share,
})

/** What goes wrong at one moment of a live run, and with whom. What lasts ends after `forMs`; with 0 it is for good. */
const liveFault = z.strictObject({
  what: z.enum(liveFaults),
  atMs: ms,
  forMs: ms.default(0),
  /** Of those that `who` names, this share … */
  share: share.default(0),
  /** … and at least so many. */
  peers: count.default(0),
  who: z.enum(['all', 'lenders', 'askers']).default('all'),
  /** Of churn: share of the peers that go in a minute. */
  perMinute: share.default(0),
  /** Of a clock: by how much it jumps. Of slow peers: what is left of their bandwidth. */
  byMs: z.int().min(-86_400_000).max(86_400_000).default(0),
  factor: z.number().min(0.001).max(1).default(0.1),
})

/** What only live peers have. Model runs leave it alone. */
const live = z.strictObject({
  carrier: z.enum(['own', 'tcp']),
  boot: z.enum(['fast', 'cold']),
  /** Peers are in the regions of a table of round trips; otherwise all are as far from each other as `network` says. */
  regions: z.boolean(),
  /** How long the run is, from the end of the boot; it ends sooner when all is done. */
  forMs: ms,
  /** In the place of the share above, since all work of live peers is of one class: each bid is heard by everybody who lends. */
  lendShare: share.nullable(),
  /** Peers that ask for jobs, and how many jobs each, within how long; with 0 requesters the workload says it. */
  requesters: count,
  jobsEach: count,
  jobsWithinMs: ms,
  /** Programs are run, or their running is a wait. */
  execution: z.enum(['real', 'modelled']),
  /** What a job reads, and how it is coded on its way. */
  inputBytes: z
    .int()
    .min(1)
    .max(2 ** 30),
  code: z.string(),
  /** How long a job works, about. */
  workMs: ms,
  /** By which the mesh is measured: a time in which nothing is asked of it, bids that nobody answers, and look-ups of records. */
  probes: z.strictObject({ restMs: ms, bids: count, bidEveryMs: ms, lookUps: count }),
  /** Objects that are put at the beginning and fetched at the end. */
  objects: z.strictObject({
    count,
    bytes: z
      .int()
      .min(1)
      .max(2 ** 32),

    code: z.string(),
  }),
  faults: z.array(liveFault).max(100),
  /** Of the dishonest peers; where there are none, those of the model that live peers have as well. */
  vices: z.array(z.enum(liveVices)),
  /** Of the numbers of the record: `gossip_coverage>=1`. */
  expect: z.array(z.string().max(200)).max(50),
})

const fields = {
  about: z.string().max(500),
  peers: z.int().min(2).max(1_000_000),
  /** Share of the peers that lend. */
  lendShare: share,
  /** Share of the peers whose books are the ledger of production, which costs some ten times as much as the model's own. */
  ledgerShare: share,
  workload,
  network,
  faults,
  /** After this nothing goes wrong any more, … */
  faultsUntilMs: ms,
  /** … and by then everything must be over. */
  virtualMs: ms,
  skewMsMax: ms,
  dishonestShare: share,
  /** Share of the names that one attacker has; it has a new one for each that is burnt. */
  sybilShare: share,
  /** What they do with work. */
  tricks: z.array(z.enum(tricks)).min(1),
  vices: z.array(z.enum(vices)),
  assertions,
  live,
}

export const scenarioSchema = z.strictObject({ name: z.string(), ...fields })

/** A file says what is other than in those that it extends; several are joined, of each kind of fault the worst. */
export const scenarioFileSchema = z
  .strictObject({
    ...fields,
    workload: workload.partial(),
    network: network.partial(),
    faults: faults.partial(),
    assertions: assertions.partial(),
    live: live
      .partial()

      .extend({
        vices: z.union([z.literal('all'), live.shape.vices]).optional(),
        probes: live.shape.probes.partial().optional(),
        objects: live.shape.objects.partial().optional(),
      }),
    vices: z.union([z.literal('all'), fields.vices]),
  })
  .partial()
  .extend({ extends: z.union([z.string(), z.array(z.string()).min(1)]).optional() })

type Deep<Value> = Value extends readonly (infer Item)[]
  ? readonly Item[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Deep<Value[Key]> }
    : Value

export type Scenario = Omit<Deep<z.infer<typeof scenarioSchema>>, 'network'> & {
  readonly network: Omit<Deep<z.infer<typeof network>>, 'delayMs'> & { readonly delayMs: readonly [number, number] }
}
export type LiveSettings = Scenario['live']
export type LiveFault = LiveSettings['faults'][number]
export type ScenarioFile = z.infer<typeof scenarioFileSchema>
