/**
 * Whether receipts hold: a receipt file, or its verifiable form. Needs nothing but what is handed over: no peer, no network, no clock.
 * `verify/` has the same once more without a library, for those who have nothing of pleach; a test holds the two against each other.
 */
import { Fault } from '../wire/index.ts'
import { checkCredential, isCredential, type Exported } from './credential.ts'
import { FileError, checkFile, parseFile, type Account } from './file.ts'

export { billOf } from './bill.ts'
export { verifierOf, type Account, type ReceiptFile } from './file.ts'

/** `credential`: who exported it, when what was handed over is the verifiable form. */
export type Holds = { readonly ok: true; readonly credential: Exported | null } & Account

export type Verdict =
  | Holds
  /** `code`: of a fault, or of a FileError. `at`: the place in the file, such as `receipts.1.countersignature`. */
  | { readonly ok: false; readonly code: string; readonly problem: string; readonly at: string }

/**
 * `file`: as text or as parsed JSON. Whatever can be wrong with it is a verdict, and no exception. `network`: the one whose receipts count, or
 * undefined for any.
 */
export function verifyReceiptFile(file: unknown, network?: string): Verdict {
  let at = 'the file'
  const enter = (where: string): void => {
    at = where
  }
  try {
    const value = typeof file === 'string' ? parsed(file) : file
    const [account, credential] = isCredential(value)
      ? checkCredential(value, enter)
      : [checkFile(parseFile(value, enter), enter), null]
    enter(credential === null ? 'network' : 'evidence.0.file.network')
    if (network !== undefined && account.network !== network)
      throw new Fault('NETWORK_FOREIGN', `the receipts are of the network ${account.network}, not of ${network}`)
    return { ok: true, credential, ...account }
  } catch (error) {
    if (error instanceof Fault || error instanceof FileError)
      return { ok: false, code: error.code, problem: error.message, at }
    throw error
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FileError('BAD_RECEIPT_FILE', `it is not JSON: ${(error as Error).message}`)
  }
}
