import { ledgerMutants } from './ledger.ts'
import { marketMutants } from './market.ts'
import type { Mutant } from './mutant.ts'
import { protocolMutants } from './protocols.ts'
import { standingMutants } from './standing.ts'
import { storageMutants } from './storage.ts'

export const allMutants: readonly Mutant[] = [
  ...protocolMutants,
  ...marketMutants,
  ...ledgerMutants,
  ...storageMutants,
  ...standingMutants,
]
