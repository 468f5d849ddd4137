/** Why a bid is not answered: a refusal with a code and facts, to be given to whoever asks, and a word for the owner's status. */
import type { Lack, Need } from '../../protocols/bid/index.ts'
import { refusal, type Refusal } from '../../protocols/wire/index.ts'

const lackPrefix = 'LACKS_'

/** `LACKS_GPU_MEMORY` with what was wanted and what there is. */
export function lackRefusal({ need, wanted, has }: Lack): Refusal {
  return refusal(`${lackPrefix}${need.toUpperCase().replaceAll('-', '_')}`, { wanted, has })
}

const needWords: Readonly<Record<Need, (wanted: string) => string>> = {
  runtime: (wanted) => `needs ${wanted}`,
  isolation: (wanted) => `needs ${wanted}`,
  arch: (wanted) => `needs ${wanted}`,
  features: (wanted) => `needs ${wanted}`,
  'gpu-model': () => 'needs gpu',
  'gpu-memory': () => 'over gpu memory',
  gpus: () => 'over gpus',
  tee: (wanted) => `needs ${wanted}`,
  region: () => 'other region',
  egress: () => 'needs network',
  cpu: () => 'over cpu',
  memory: () => 'over memory',
  disk: () => 'over disk',
  time: () => 'over time',
  evidence: (wanted) => `not ${wanted}`,
  unit: () => 'other unit of account',
  price: () => 'price below floor',
  hours: () => 'out of hours',
  free: () => 'busy',
}

const words: Readonly<Record<string, string>> = {
  NOT_LENDING: 'not lending',
  PAUSED: 'paused',
  IN_DOUBT: 'in doubt about its key',
  OWNER_ACTIVE: 'owner at work',
  TOO_HOT: 'too hot',
  DISK_LOW: 'disk nearly full',
  LEDGER_FAILED: 'ledger failed',
  OFFERS_FULL: 'too many offers open',
  NOT_ALLOWED: 'requester not allowed',
  DENIED: 'requester denied',
  STANDING_POOR: 'poor standing',
  OFFERS_UNANSWERED: 'offers unanswered',
  UNPAID: 'nothing paid yet',
  CREDIT_FULL: 'owes us too much',
  BOND_TOO_LOW: 'bond below what is wanted',
  NOT_ADMITTED: 'not admitted',
  ENOUGH: 'others were sooner',
  BUSY: 'busy',
  OUTBID: 'dearer than winner',
  NOT_CHOSEN: 'not chosen',
  CLOSED: 'too late',
  HOLD_EXPIRED: 'no answer',
}

/** At most so many characters of what a stranger asks for become a word of ours. */
const wantedCharsMax = 32

/** How the owner is told: few words, so that equal reasons count together. */
export function wordOf({ code, facts }: Refusal): string {
  const need = code.startsWith(lackPrefix)
    ? code.slice(lackPrefix.length).toLowerCase().replaceAll('_', '-')
    : undefined
  if (need !== undefined && Object.hasOwn(needWords, need))
    return needWords[need as Need](String(facts['wanted']).slice(0, wantedCharsMax))
  return words[code] ?? code.toLowerCase().replaceAll('_', ' ')
}

const passing: ReadonlySet<string> = new Set([
  'BUSY',
  'OFFERS_UNANSWERED',
  'UNPAID',
  'CREDIT_FULL',
  'OFFERS_FULL',
  'OWNER_ACTIVE',
  'TOO_HOT',
  'DISK_LOW',
  'PAUSED',
  'NOT_LENDING',
])

/** Reasons that pass: a bid that was declined for one of them may be answered later. */
export function mayPass({ code }: Refusal): boolean {
  return passing.has(code)
}
