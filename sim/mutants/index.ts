import { ledgerMutants } from './ledger.ts'
import { marketMutants } from './market.ts'
import type { Mutant } from './mutant.ts'
import { protocolMutants } from './protocols.ts'

export const allMutants: readonly Mutant[] = [...protocolMutants, ...marketMutants, ...ledgerMutants]
