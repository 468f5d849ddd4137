/** `pleach cost`: what the work of others has cost. */
import { incomeCommand } from './income.ts'

export const command = incomeCommand('cost', 'requester', [
  'What was spent on work of others, by receipts that both have signed.',
])
