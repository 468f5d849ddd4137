/** What was asked of a ledger and what it acknowledged, kept by somebody else: what an auditor would hold against its tables. */
import type { Statement } from '../../protocols/wire/index.ts'
import type { ForkError } from '../../src/ledger/receipts.ts'

export interface Asked {
  /** `kind/id`. */
  readonly machine: string
  readonly state: Uint8Array | null
  readonly final: boolean
  readonly statements: readonly Statement[]
  /** What the ledger said of it; a peer that died meanwhile heard nothing. */
  outcome: 'durable' | 'failed' | null
  /** A receipt in it contradicted another. */
  fork: ForkError | undefined
}

export class LedgerAudit {
  /** In the order in which they were asked for. */
  readonly commits: Asked[] = []
  /** Commits that were said to have failed and did not. */
  brokenWrites = 0

  asked(machine: string, state: Uint8Array | null, final: boolean, statements: readonly Statement[]): Asked {
    const asked: Asked = { machine, state, final, statements, outcome: null, fork: undefined }
    this.commits.push(asked)
    return asked
  }
}
