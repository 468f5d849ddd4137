/** `pleach earnings`: what work for others has brought. */
import { incomeCommand } from './income.ts'

export const command = incomeCommand('earnings', 'provider', [
  'What was earned by work for others, by receipts that both have signed. Where earnings are split among owners (--reward-shares of',
  'pleach up) the part of each is shown.',
])
