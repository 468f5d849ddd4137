/**
 * `pleach/verify`: whether receipts hold, with nothing but what is handed over. Needs WebCrypto with Ed25519 and nothing else, neither of
 * pleach nor of npm: it runs in a page of a browser and in plain Node from version 20. README.md beside this file says what is checked.
 */
import { checkCredential, isCredential, type Exported } from './credential.ts'
import { checkFile, type Account } from './file.ts'
import { VerifierError } from './keys.ts'
import { Problem, need } from './problem.ts'
import { checkedFile } from './shape.ts'

export type { Account, Exported }
export { VerifierError }
export type { ReceiptFile } from './shape.ts'
export type { Tariff, Usage } from './tariff.ts'

export type Verdict =
  /** `credential`: who exported it, when what was handed over is the verifiable form. */
  | ({ readonly ok: true; readonly credential: Exported | null } & Account)
  /** `code`: for `pleach explain`. `at`: the place in the file, such as `receipts.1.countersignature`. */
  | { readonly ok: false; readonly code: string; readonly problem: string; readonly at: string }

export interface Expected {
  /** The one network whose receipts count: those of a trial are signed just as well, and are worth nothing. Any, when left out. */
  readonly network?: string | undefined
}

/**
 * `file`: a receipt file or its verifiable form, as text or as parsed JSON. Throws nothing but a VerifierError, where this machine cannot
 * verify: everything else that can be wrong is a verdict.
 */
export async function verifyReceipts(file: unknown, { network }: Expected = {}): Promise<Verdict> {
  let at = 'the file'
  const enter = (where: string): void => {
    at = where
  }
  try {
    const value = typeof file === 'string' ? parsed(file) : file
    const [account, credential] = isCredential(value)
      ? await checkCredential(value, enter)
      : [await checkFile(checkedFile(value, enter), enter), null]
    enter(credential === null ? 'network' : 'evidence.0.file.network')
    const isExpected = network === undefined || account.network === network
    need(isExpected, 'NETWORK_FOREIGN', `the receipts are of the network ${account.network}, not of ${network}`)
    return { ok: true, credential, ...account }
  } catch (error) {
    if (error instanceof Problem) return { ok: false, code: error.code, problem: error.message, at }
    throw error
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem('BAD_RECEIPT_FILE', `it is not JSON: ${(error as Error).message}`)
  }
}
