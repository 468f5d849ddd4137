/** What a job manifest says of a container, and a result of the image that was run. */
import { z } from 'zod'

import { argument } from './argument.ts'

const entrypointMax = 64
export const gpusMax = 64
/** What an engine calls an image: the digest of its configuration or of its manifest. */
export const imageDigestPattern = /^sha256:[0-9a-f]{64}$/
/** By digest and never by a tag, which tomorrow is another image. */
export const imageReferencePattern = /^[a-z0-9][a-z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}$/

export const portsMax = 16
const healthPathCharsMax = 512
/** Each check is a process at the provider. */
const healthIntervalMsMin = 1_000
const healthIntervalMsMax = 3_600_000
export const healthFailuresMax = 1_000
const port = z.int().min(1).max(65_535)

export const containerSchema = z.strictObject({
  /** In a registry; null when the job's module is the image, as an OCI archive. */
  image: z.string().regex(imageReferencePattern, 'is not an image by digest: write NAME@sha256:…').nullable(),
  /** What the provider's engine must call the image; null: whatever it does. */
  digest: z.string().regex(imageDigestPattern, 'is not a digest: write sha256:…').nullable(),
  /** Null: the image's own. */
  entrypoint: z.array(argument).min(1).max(entrypointMax).nullable(),
  /** Whether the program is to reach the network. */
  egress: z.boolean(),
  gpus: z.int().min(0).max(gpusMax),
  /** Null: a job, which ends by itself. A service is ended with its lease. */
  service: z
    .strictObject({
      /** What the requester may connect to (/pleach/forward/1). */
      ports: z.array(port).min(1).max(portsMax),
      health: z
        .strictObject({
          port,
          /** What is asked for by HTTP; null: to be connected to is enough. */
          path: z
            .string()
            .max(healthPathCharsMax)
            .regex(/^\/[\x21-\x7e]*$/, 'is no path of a URL')
            .nullable(),
          intervalMs: z.int().min(healthIntervalMsMin).max(healthIntervalMsMax),
          failuresMax: z.int().min(1).max(healthFailuresMax),
        })
        .nullable(),
    })
    .nullable(),
})

export type JobContainer = z.infer<typeof containerSchema>

/** Of a result. The archive is that of the job's manifest, as it was received and checked. */
export const ranImageSchema = z.strictObject({
  digest: z.string().regex(imageDigestPattern),
  archive: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), object: z.string().nullable() }).nullable(),
})

export type RanImage = z.infer<typeof ranImageSchema>
