/** What a job manifest says of a container, and a result of the image that was run. */
import { z } from 'zod'

import { argument } from './argument.ts'

const entrypointMax = 64
export const gpusMax = 64
/** What an engine calls an image: the digest of its configuration or of its manifest. */
export const imageDigestPattern = /^sha256:[0-9a-f]{64}$/
/** By digest and never by a tag, which tomorrow is another image. */
export const imageReferencePattern = /^[a-z0-9][a-z0-9._:/-]{0,250}@sha256:[0-9a-f]{64}$/

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
})

export type JobContainer = z.infer<typeof containerSchema>

/** Of a result. The archive is that of the job's manifest, as it was received and checked. */
export const ranImageSchema = z.strictObject({
  digest: z.string().regex(imageDigestPattern),
  archive: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), object: z.string().nullable() }).nullable(),
})

export type RanImage = z.infer<typeof ranImageSchema>
