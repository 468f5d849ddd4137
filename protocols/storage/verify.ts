/** Whether receipts hold, of work or of what was kept and carried: a file of either kind, or its verifiable form. */
import { isCredential } from '../receipt/credential.ts'
import { workFile } from '../receipt/file.ts'
import { readAs, verdictOn, type Holds, type HoldsAs, type HoldsNot } from '../receipt/verify.ts'
import { storageFile, type KeptAccount } from './file.ts'

export type HoldsOfStorage = HoldsAs<'pleach-storage-receipts', KeptAccount>
export type AnyHolds = Holds | HoldsOfStorage
export type AnyVerdict = AnyHolds | HoldsNot

/** As `verifyReceiptFile`, of whichever kind the file says itself to be. */
export function verifyAnyFile(file: unknown, network?: string): AnyVerdict {
  return verdictOn<AnyHolds>(file, network, (value, enter) =>
    isOfStorage(value) ? readAs(storageFile, value, enter) : readAs(workFile, value, enter),
  )
}

/** Whatever does not say so is judged as a receipt file of work. */
function isOfStorage(value: unknown): boolean {
  const file = isCredential(value) ? within(within(value['evidence'], '0'), 'file') : value
  return within(file, 'kind') === storageFile.kind
}

function within(holder: unknown, key: string): unknown {
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key)) return undefined
  return (holder as Readonly<Record<string, unknown>>)[key]
}
