/**
 * The verifiable form (W3C Verifiable Credentials Data Model 2.0): what a receipt file says, as claims, with the file itself as
 * evidence, and a proof by the party that exported it (Data Integrity, `eddsa-jcs-2022`). The claims are made anew from the evidence
 * and must be the same, so that the credential says nothing that the two parties have not signed.
 */
import { fromBase58, joined, utf8Of } from './bytes.ts'
import { canonicalJson, whereDifferent } from './json.ts'
import { didOf, isSignedBy, keyOfMultikey, sha256, signatureBytes } from './keys.ts'
import { Problem, need, type Enter } from './problem.ts'
import type { FileForm } from './shape.ts'

type Json = Readonly<Record<string, unknown>>

const credentialContext = [
  'https://www.w3.org/ns/credentials/v2',
  'https://www.w3.org/ns/credentials/undefined-terms/v2',
] as const

/** What every account says. */
export interface Accounted {
  readonly network: string
  readonly lastMs: number | null
}

export interface Exported {
  /** The party that exported it, as a DID. */
  readonly issuer: string
  /** As its proof says. */
  readonly created: string
}

/** Nothing later has four digits of a year. */
const dateMsMax = Date.UTC(10_000, 0) - 1
const createdPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/** Whether something is meant to be a credential and not a file. */
export function isCredential(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, '@context')
}

/** Throws a Problem, and says by `enter` where. */
export async function checkCredential<File, Account extends Accounted>(
  form: FileForm<string, File, Account>,
  credential: Json,
  enter: Enter,
): Promise<[Account, Exported]> {
  const inside = 'evidence.0.file'
  enter('evidence')
  const evidence = credential['evidence']
  need(
    Array.isArray(evidence) && evidence.length === 1,
    'BAD_RECEIPT_FILE',
    'a credential of receipts has the receipt file as its one evidence',
  )
  const [only] = evidence as unknown[]
  const isEvidence = typeof only === 'object' && only !== null && Object.hasOwn(only, 'file')
  enter(inside)
  need(isEvidence, 'BAD_RECEIPT_FILE', 'it is no object')
  const below: Enter = (where) => enter(where === 'the file' ? inside : `${inside}.${where}`)
  const file = form.parse((only as { file: unknown }).file, below)
  const account = await form.check(file, below)
  enter('issuer')
  const [one, other] = form.parties
  const exporter = [account[one], account[other]].find((peer) => didOf(peer as string) === credential['issuer'])
  need(exporter !== undefined, 'SIGNER_UNEXPECTED', `the issuer is neither the ${one} nor the ${other}`)
  const { proof, ...claims } = credential
  enter('credentialSubject')
  const different = whereDifferent(claims, claimsOf(form, account, file, exporter as string))
  if (different !== undefined) {
    enter(different)
    throw new Problem('CLAIM_DIFFERS', 'it is not what the signed receipts say')
  }
  enter('proof')
  const issuer = didOf(exporter as string)
  return [account, { issuer, created: await checkProof(claims, proof, issuer) }]
}

/** The credential without its proof. Throws a Problem when there is nothing to be said, or at no date. */
function claimsOf<File, Account extends Accounted>(
  form: FileForm<string, File, Account>,
  account: Account,
  file: File,
  exporter: string,
): Json {
  const { lastMs } = account
  need(lastMs !== null, 'NO_RECEIPT', 'there is no receipt in it')
  need(lastMs <= dateMsMax, 'FIELD_INVALID', 'the last receipt is of no date')
  const [serving, served] = form.parties
  const parties = [account[serving], account[served]] as string[]
  const said = Object.entries(account).filter(([key]) => key !== serving && key !== served)
  return {
    '@context': credentialContext,
    type: ['VerifiableCredential', form.credentialType],
    issuer: didOf(exporter),
    validFrom: new Date(lastMs).toISOString(),
    credentialSubject: {
      id: didOf(parties[exporter === parties[0] ? 1 : 0]!),
      [serving]: didOf(parties[0]!),
      [served]: didOf(parties[1]!),
      ...Object.fromEntries(said),
    },
    evidence: [{ type: form.evidenceType, file }],
  }
}

/** Who made the proof must be `controller`, a `did:key`. Answers with its date. */
async function checkProof(claims: Json, proof: unknown, controller: string): Promise<string> {
  const options = typeof proof === 'object' && proof !== null ? (proof as Json) : {}
  const { created, proofValue } = options
  need(typeof created === 'string' && createdPattern.test(created), 'FIELD_INVALID', 'the proof has no date')
  need(typeof proofValue === 'string', 'FIELD_INVALID', 'the proof has no value')
  const multikey = controller.slice('did:key:'.length)
  const wanted = {
    '@context': claims['@context'],
    type: 'DataIntegrityProof',
    cryptosuite: 'eddsa-jcs-2022',
    created,
    verificationMethod: `${controller}#${multikey}`,
    proofPurpose: 'assertionMethod',
    proofValue,
  }
  const different = whereDifferent(options, wanted)
  need(different === undefined, 'FIELD_INVALID', `the proof is of another kind: ${different}`)
  const isRight = await isProofOf(keyOfMultikey(multikey)!, claims, options)
  need(isRight, 'SIGNATURE_INVALID', 'the proof does not fit the credential')
  return created
}

/** Data Integrity EdDSA Cryptosuites v1.0, section 3.3, "eddsa-jcs-2022". */
export async function isProofOf(publicKey: Uint8Array, unsecured: Json, proof: Json): Promise<boolean> {
  const { proofValue, ...options } = proof
  const isText = typeof proofValue === 'string' && proofValue.startsWith('z') && proofValue.length <= 128
  const signature = isText ? fromBase58(proofValue.slice(1)) : undefined
  if (signature?.byteLength !== signatureBytes) return false
  const [ofOptions, ofDocument] = await Promise.all(
    [options, unsecured].map(async (part) => sha256(utf8Of(canonicalJson(part)))),
  )
  return isSignedBy(publicKey, joined(ofOptions!, ofDocument!), signature)
}
