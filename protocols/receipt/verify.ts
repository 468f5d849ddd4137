/**
 * Whether receipts of work hold: a receipt file, or its verifiable form. Needs nothing but what is handed over: no peer, no network, no clock.
 * `verify/` has the same once more without a library, for those who have nothing of pleach; a test holds the two against each other.
 */
import { Fault } from '../wire/index.ts'
import { checkCredential, isCredential, type Exported } from './credential.ts'
import { workFile, type Account } from './file.ts'
import { FileError, type Accounted, type Enter, type FileForm } from './form.ts'

export { billOf } from './bill.ts'
export type { Account, ReceiptFile } from './file.ts'
export { verifierOf } from './form.ts'

/** `credential`: who exported it, when what was handed over is the verifiable form. */
export type HoldsAs<Kind extends string, Said> = {
  readonly ok: true
  readonly kind: Kind
  readonly credential: Exported | null
} & Said

export type Holds = HoldsAs<'pleach-receipts', Account>

/** `code`: of a fault, or of a FileError. `at`: the place in the file, such as `receipts.1.countersignature`. */
export interface HoldsNot {
  readonly ok: false
  readonly code: string
  readonly problem: string
  readonly at: string
}

export type Verdict = Holds | HoldsNot

/**
 * `file`: as text or as parsed JSON. Whatever can be wrong with it is a verdict, and no exception. `network`: the one whose receipts count, or
 * undefined for any.
 */
export function verifyReceiptFile(file: unknown, network?: string): Verdict {
  return verdictOn(file, network, (value, enter) => readAs(workFile, value, enter))
}

/** A file of this form, or its verifiable form. Throws a Fault or a FileError, and says by `enter` where. */
export function readAs<Kind extends string, File, Said extends Accounted>(
  form: FileForm<Kind, File, Said>,
  value: unknown,
  enter: Enter,
): HoldsAs<Kind, Said> {
  const [account, credential] = isCredential(value)
    ? checkCredential(form, value, enter)
    : [form.check(form.parse(value, enter), enter), null]
  return { ok: true, kind: form.kind, credential, ...account }
}

/** What `read` makes of it, or what is wrong with it. */
export function verdictOn<Held extends { readonly network: string; readonly credential: Exported | null }>(
  file: unknown,
  network: string | undefined,
  read: (value: unknown, enter: Enter) => Held,
): Held | HoldsNot {
  let at = 'the file'
  const enter: Enter = (where) => {
    at = where
  }
  try {
    const held = read(typeof file === 'string' ? parsed(file) : file, enter)
    enter(held.credential === null ? 'network' : 'evidence.0.file.network')
    if (network !== undefined && held.network !== network)
      throw new Fault('NETWORK_FOREIGN', `the receipts are of the network ${held.network}, not of ${network}`)
    return held
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
