/**
 * The record of a run: everything that its page, a comparison, or a person with `jq` needs, whoever ran it. `record.json` is this
 * and nothing else; the schema is what a file is held against when it is read back, and where the types come from.
 */
import { z } from 'zod'

/** Samples that one series of latencies keeps: evenly spaced quantiles of all of them (samples.ts). */
export const samplesMax = 1_000
export const pointsMax = 10_000
const seriesMax = 64
const figuresMax = 64
const rowsMax = 5_000
const nodesMax = 20_000
const edgesMax = 200_000

/** What a comparison calls it: `paid_share`, `latency`. */
const name = z.string().regex(/^[a-z][a-z0-9_]*$/, 'is no name: small letters, digits and _ only')
const label = z.string().min(1).max(200)
const text = z.string().max(4_000)
const unit = z.string().max(40)
const atMs = z.number().nonnegative()
const count = z.int().nonnegative()

/** What every figure has. `read` is one sentence that says how to read it. */
const figure = { name, title: label, unit, read: text.min(1) }

const ascending = (samples: readonly number[]): boolean =>
  samples.every((value, index) => index === 0 || samples[index - 1]! <= value)
const inTime = (points: readonly (readonly [number, number])[]): boolean =>
  points.every(([at], index) => index === 0 || points[index - 1]![0] <= at)

export const cdfSchema = z.strictObject({
  kind: z.literal('cdf'),
  ...figure,
  series: z
    .array(
      z.strictObject({
        name: label,
        /** How many were measured; there may be fewer samples, never more. */
        count,
        samples: z.array(z.number()).max(samplesMax).refine(ascending, 'samples are not sorted'),
      }),
    )
    .max(seriesMax),
})

export const timelineSchema = z.strictObject({
  kind: z.literal('timeline'),
  ...figure,
  series: z
    .array(
      z.strictObject({
        name: label,
        points: z
          .array(z.tuple([atMs, z.number()]))
          .max(pointsMax)
          .refine(inTime, 'points are not in the order of time'),
      }),
    )
    .max(seriesMax),
  /** Marked on the time axis: faults, phases. With `untilMs` it lasted. */
  events: z.array(z.strictObject({ atMs, untilMs: atMs.nullable(), what: label })).max(1_000),
})

export const barsSchema = z.strictObject({
  kind: z.literal('bars'),
  ...figure,
  /** Whether the bars are the parts of one whole, so that each has a share of it. */
  isWhole: z.boolean(),
  bars: z.array(z.strictObject({ name: label, value: z.number().nonnegative() })).max(seriesMax),
})

const graph = z.strictObject({
  nodes: z
    .array(z.strictObject({ id: label, role: label, region: label.nullable(), alive: z.boolean() }))
    .max(nodesMax),
  /** By the places of the nodes in the list. */
  edges: z.array(z.tuple([count, count])).max(edgesMax),
})
const edgesEnd = ({ nodes, edges }: z.infer<typeof graph>): boolean =>
  edges.every((ends) => ends.every((end) => end < nodes.length))

export const topologySchema = z.strictObject({
  kind: z.literal('topology'),
  ...figure,
  /** Null where only the end is known. */
  before: graph.refine(edgesEnd, 'an edge ends at no node').nullable(),
  after: graph.refine(edgesEnd, 'an edge ends at no node'),
})

export const tableSchema = z.strictObject({
  kind: z.literal('table'),
  ...figure,
  columns: z.array(z.string().max(200)).min(1).max(16),
  /** Null is not known, and shown as such. */
  rows: z.array(z.array(z.union([z.number(), z.string().max(400), z.null()])).max(16)).max(rowsMax),
})

export const figureSchema = z.discriminatedUnion('kind', [
  cdfSchema,
  timelineSchema,
  barsSchema,
  topologySchema,
  tableSchema,
])

export const recordSchema = z.strictObject({
  v: z.literal(1),
  scenario: z.strictObject({ name: label, about: text, config: z.json() }),
  /** The first seed, and how many lives were lived from it on. */
  seed: count,
  lives: count,
  tier: z.enum(['model', 'live']),
  /** How the peers of a live run found each other; null in the model. */
  boot: z.enum(['fast', 'cold']).nullable(),
  /** Reproduces the run. */
  command: text.min(1),
  versions: z.strictObject({ pleach: label, node: label, libp2p: label.nullable() }),
  machine: z.strictObject({ cores: count, memoryBytes: count }),
  wallMs: z.number().nonnegative(),
  /** What was not real in this run, a sentence each. */
  stubs: z.array(text).max(64),
  /** False when the run says nothing, and then why. */
  valid: z.boolean(),
  invalidBecause: text.nullable(),
  assertions: z.array(z.strictObject({ name: label, wanted: text, got: text, holds: z.boolean() })).max(200),
  /** The few numbers that stand at the top. */
  numbers: z.array(z.strictObject({ name, title: label, unit, value: z.number().nullable() })).max(64),
  figures: z.array(figureSchema).max(figuresMax),
})

export type RunRecord = z.infer<typeof recordSchema>
export type Figure = z.infer<typeof figureSchema>
export type Cdf = z.infer<typeof cdfSchema>
export type Timeline = z.infer<typeof timelineSchema>
export type Bars = z.infer<typeof barsSchema>
export type Topology = z.infer<typeof topologySchema>
export type Graph = z.infer<typeof graph>
export type Table = z.infer<typeof tableSchema>
export type Assertion = RunRecord['assertions'][number]

/** A file that is no record, or a run that has none. */
export class RecordError extends Error {
  override readonly name = 'RecordError'
}

/** Problems told of one file. */
const problemsMax = 3

/** `where` is what the file is called in the error. */
export function parseRecord(json: string, where: string): RunRecord {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new RecordError(`${where} is no JSON: ${(error as Error).message}`, { cause: error })
  }
  const version = (value as { readonly v?: unknown } | null)?.v
  if (version !== 1)
    throw new RecordError(
      `${where} is ${version === undefined ? 'no record of a run: it has no v' : `version ${JSON.stringify(version)}; this program reads version 1`}`,
    )
  return checkRecord(value, where)
}

/** The same for what was just made: a record that cannot be read back is not written. */
export function checkRecord(value: unknown, where: string): RunRecord {
  const parsed = recordSchema.safeParse(value)
  if (parsed.success) {
    const { valid, invalidBecause } = parsed.data
    if (valid === (invalidBecause === null)) return parsed.data
    throw new RecordError(`${where}: a run that is not valid says why in invalidBecause, and no other does`)
  }
  const { issues } = parsed.error
  const told = issues.slice(0, problemsMax).map(({ path, message }) => `${path.join('.') || 'all of it'}: ${message}`)
  const more = issues.length > problemsMax ? `; and ${issues.length - problemsMax} more` : ''
  throw new RecordError(`${where} is no record of a run: ${told.join('; ')}${more}`)
}

/** Whether the run is what it should be: it says something, and every assertion holds. */
export function isGood({ valid, assertions }: RunRecord): boolean {
  return valid && assertions.every(({ holds }) => holds)
}
