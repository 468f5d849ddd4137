/** What a request says, held against what a route takes. */
import type { z } from 'zod'

import { describeProblem } from '../config/job-spec.ts'
import { ControlError } from './api.ts'

/** Throws a ControlError BAD_SPEC. */
export function checked<Output>(schema: z.ZodType<Output>, body: unknown): Output {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  throw new ControlError({
    code: 'BAD_SPEC',
    what: 'the request is not understood',
    why: describeProblem(parsed.error.issues, schema),
    cure: 'see src/control/api.ts for what it takes',
    exit: 2,
  })
}
