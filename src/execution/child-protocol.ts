/**
 * What the executor and its child process say to each other. The child is told its task as one JSON document on its
 * standard input, and writes a file of two lines: the gas used so far, which it writes again and again in the same place, so that the
 * file stays small however long it runs; and just before it ends one record, as JSON.
 */
import { z } from 'zod'

import { executionReasons } from './executor.ts'

/** What the child is told. Files come as open descriptors, so that it needs no right to open any. */
export interface ChildTask {
  /** argv[0] and on. */
  readonly args: readonly string[]
  /** `NAME=value`. */
  readonly env: readonly string[]
  readonly memoryBytes: number
  readonly outputBytes: number
  readonly logBytes: number
  /** At most this much may be used. */
  readonly gas: number
  /** The deterministic profile: what time and chance are made from. Null: they are the machine's. */
  readonly seed: string | null
  /** Descriptor of the standard input; null for an empty one. */
  readonly stdin: number | null
  readonly inputs: readonly { readonly kind: 'file' | 'tar'; readonly guestPath: string; readonly descriptor: number }[]
}

/** Arguments, environment and inputs' names together. */
export const taskBytesMax = 1_024 * 1_024
/** Of the record's line, without that of the gas. */
export const recordBytesMax = 64 * 1_024
export const detailCharsMax = 1_024

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

/** Strict: a child that was taken over may write anything here. */
export const recordSchema = z.strictObject({
  reason: z
    .enum(executionReasons as [string, ...string[]])
    .transform((word) => word as (typeof executionReasons)[number]),
  exitCode: z.number().int().min(0).max(0xffff_ffff).nullable(),
  detail: z.string().max(detailCharsMax),
  cpuMs: count,
  memoryBytesPeak: count,
  outputBytes: count,
  /** Files in the tar of the outputs; null when nothing was written there. */
  outputFiles: count.nullable(),
})

export type ChildRecord = z.infer<typeof recordSchema>
