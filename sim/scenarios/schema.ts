/** What a scenario file may say. One schema reads the files, types the scenario and words the errors. */
import { z } from 'zod'

import { vices } from '../model/vices.ts'

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
  /** Classes of work; a peer hears of the bids of one. */
  classes: z.int().min(1).max(10_000),
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
const assertions = z.strictObject({ paidShareMin: share })

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
  vices: z.array(z.enum(vices)),
  assertions,
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
export type ScenarioFile = z.infer<typeof scenarioFileSchema>
