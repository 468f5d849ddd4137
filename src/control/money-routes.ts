/** The routes of what is owed, settled, earned and spent. */
import { z } from 'zod'

import { checked } from './checked.ts'
import type { Route } from './routes.ts'

const settleSchema = z.strictObject({ peer: z.string().min(1).max(128).exactOptional() })
const incomeSchema = z.strictObject({
  role: z.enum(['provider', 'requester']),
  by: z.enum(['job', 'day', 'peer']),
  since: z.coerce.number().pipe(z.int().min(0)).exactOptional(),
})

export const moneyRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/statements',
    answer: async ({ control }) => ({ json: await control.money.statements() }),
  },
  {
    method: 'POST',
    path: '/v1/settle',
    answer: async ({ control }, { body, signal }) => ({
      json: await control.money.settle(checked(settleSchema, await body()), signal),
    }),
  },
  {
    method: 'GET',
    path: '/v1/vouchers',
    answer: async ({ control }) => ({ json: await control.money.vouchers() }),
  },
  {
    method: 'GET',
    path: '/v1/vouchers/:id',
    answer: async ({ control }, { id }) => ({ json: await control.money.voucherFile(id) }),
  },
  {
    method: 'GET',
    path: '/v1/income',
    answer: async ({ control }, { query }) => {
      const { role, by, since = 0 } = checked(incomeSchema, Object.fromEntries(query))
      return { json: await control.money.income({ role, by, sinceMs: since }) }
    },
  },
]
