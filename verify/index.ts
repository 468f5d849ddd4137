/**
 * `pleach/verify`: whether receipts hold, with nothing but what is handed over. Needs WebCrypto with Ed25519 and nothing else, neither of
 * pleach nor of npm: it runs in a page of a browser and in plain Node from version 20. README.md beside this file says what is checked.
 */
import { checkCredential, isCredential, type Accounted, type Exported } from './credential.ts'
import { workForm, type Account } from './file.ts'
import { keptForm, type KeptAccount, type KeptUsage } from './kept.ts'
import { VerifierError } from './keys.ts'
import { Problem, need, type Enter } from './problem.ts'
import type { FileForm } from './shape.ts'

export type { Account, Exported, KeptAccount, KeptUsage }
export { VerifierError }
export type { KeptFile, ReceiptFile } from './shape.ts'
export type { Tariff, Usage } from './tariff.ts'

/** `credential`: who exported it, when what was handed over is the verifiable form. */
export type HoldsAs<Kind extends string, Said> = {
  readonly ok: true
  readonly kind: Kind
  readonly credential: Exported | null
} & Said

/** `kind` says which: of work, or of what was kept and carried. */
export type Holds = HoldsAs<'pleach-receipts', Account> | HoldsAs<'pleach-storage-receipts', KeptAccount>

export type Verdict =
  | Holds
  /** `code`: for `pleach explain`. `at`: the place in the file, such as `receipts.1.countersignature`. */
  | { readonly ok: false; readonly code: string; readonly problem: string; readonly at: string }

export interface Expected {
  /** The one network whose receipts count: those of a trial are signed just as well, and are worth nothing. Any, when left out. */
  readonly network?: string | undefined
}

/**
 * `file`: receipts of work or of storage, as a file or in its verifiable form; as text or as parsed JSON. Throws nothing but a VerifierError, where this machine cannot
 * verify: everything else that can be wrong is a verdict.
 */
export async function verifyReceipts(file: unknown, { network }: Expected = {}): Promise<Verdict> {
  let at = 'the file'
  const enter: Enter = (where) => {
    at = where
  }
  try {
    const value = typeof file === 'string' ? parsed(file) : file
    const held = isOfKept(value) ? await readAs(keptForm, value, enter) : await readAs(workForm, value, enter)
    enter(held.credential === null ? 'network' : 'evidence.0.file.network')
    const isExpected = network === undefined || held.network === network
    need(isExpected, 'NETWORK_FOREIGN', `the receipts are of the network ${held.network}, not of ${network}`)
    return held
  } catch (error) {
    if (error instanceof Problem) return { ok: false, code: error.code, problem: error.message, at }
    throw error
  }
}

async function readAs<Kind extends string, File, Said extends Accounted>(
  form: FileForm<Kind, File, Said>,
  value: unknown,
  enter: Enter,
): Promise<HoldsAs<Kind, Said>> {
  const [account, credential] = isCredential(value)
    ? await checkCredential(form, value, enter)
    : [await form.check(form.parse(value, enter), enter), null]
  return { ok: true, kind: form.kind, credential, ...account }
}

/** Whatever does not say so is judged as receipts of work. */
function isOfKept(value: unknown): boolean {
  const file = isCredential(value) ? within(within(value['evidence'], '0'), 'file') : value
  return within(file, 'kind') === keptForm.kind
}

function within(holder: unknown, key: string): unknown {
  const isHere = typeof holder === 'object' && holder !== null && Object.hasOwn(holder, key)
  return isHere ? (holder as Readonly<Record<string, unknown>>)[key] : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem('BAD_RECEIPT_FILE', `it is not JSON: ${(error as Error).message}`)
  }
}
