/**
 * The verifiable form of a receipt file (W3C Verifiable Credentials Data Model 2.0): what it says, as claims, with the file itself as
 * evidence, and a proof by the party that exports it (Data Integrity EdDSA Cryptosuites v1.0, `eddsa-jcs-2022`). README.md says why both.
 *
 * Whoever verifies it makes the claims anew from the evidence, and takes none that is not the same: the credential says nothing
 * that the two parties have not signed.
 */
import { base58btc } from 'multiformats/bases/base58'
import { concat, fromString } from 'uint8arrays'

import type { Notary } from '../negotiate/codec.ts'
import { Fault, publicKeyOf, sha256, signatureBytes, type PeerName } from '../wire/index.ts'
import { canonicalJson, whereDifferent, type Json } from './canonical-json.ts'
import { workFile, type ReceiptFile } from './file.ts'
import { FileError, isSignedBy, type Accounted, type Enter, type FileForm } from './form.ts'

/**
 * Names alone: a context of our own, written out here, is what libraries of this suite cannot compare. The second one is the W3C's for terms
 * that nobody defines.
 */
const context: Json = ['https://www.w3.org/ns/credentials/v2', 'https://www.w3.org/ns/credentials/undefined-terms/v2']
/** The multicodec `ed25519-pub` as a varint. */
const multikeyPrefix = Uint8Array.of(0xed, 0x01)
/** Nothing later has four digits of a year. */
const dateMsMax = Date.UTC(10_000, 0) - 1
const createdPattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/** Who exported a credential, as a DID, and when, as its proof says. */
export interface Exported {
  readonly issuer: string
  readonly created: string
}

export type Credential = { readonly [key: string]: Json }

/** The key of a peer as a Multikey: `z6Mk…`. */
function multikeyOf(peer: PeerName): string {
  return base58btc.encode(concat([multikeyPrefix, publicKeyOf(peer)]))
}

export function didOf(peer: PeerName): string {
  return `did:key:${multikeyOf(peer)}`
}

/** Of receipts of work. Throws a Fault or a FileError when the file does not hold, or has no receipt yet. */
export function sealCredential(notary: Notary, file: ReceiptFile, nowMs: number): Credential {
  return sealCredentialOf(workFile, notary, file, nowMs)
}

/** By a party of the account. Throws a Fault or a FileError when the file does not hold, or has no receipt yet. */
export function sealCredentialOf<File, Account extends Accounted>(
  form: FileForm<string, File, Account>,
  { signer }: Notary,
  file: File,
  nowMs: number,
): Credential {
  const account = form.check(file, () => {})
  const claims = claimsOf(form, account, file, signer.peer)
  const method = multikeyOf(signer.peer)
  const options = {
    '@context': context,
    type: 'DataIntegrityProof',
    cryptosuite: 'eddsa-jcs-2022',
    created: new Date(nowMs).toISOString(),
    verificationMethod: `did:key:${method}#${method}`,
    proofPurpose: 'assertionMethod',
  }
  const proofValue = base58btc.encode(signer.sign(hashData(options, claims)))
  return { ...claims, proof: { ...options, proofValue } }
}

/** Whether something is meant to be a credential and not a file. */
export function isCredential(value: unknown): value is Credential {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, '@context')
}

/** Throws a Fault or a FileError, and says by `enter` where. */
export function checkCredential<File, Account extends Accounted>(
  form: FileForm<string, File, Account>,
  credential: Credential,
  enter: Enter,
): [Account, Exported] {
  enter('evidence')
  const { evidence, issuer } = credential
  if (!Array.isArray(evidence) || evidence.length !== 1)
    throw new FileError('BAD_RECEIPT_FILE', 'a credential of receipts has the receipt file as its one evidence')
  const inside = 'evidence.0.file'
  const only = (evidence as unknown[])[0]
  enter(inside)
  if (typeof only !== 'object' || only === null || !Object.hasOwn(only, 'file'))
    throw new FileError('BAD_RECEIPT_FILE', 'it is no object')
  const below: Enter = (where) => enter(where === 'the file' ? inside : `${inside}.${where}`)
  const file = form.parse((only as { file: unknown }).file, below)
  const account = form.check(file, below)
  enter('issuer')
  const exporter = partiesOf(form, account).find((peer) => didOf(peer) === issuer)
  if (exporter === undefined)
    throw new Fault('SIGNER_UNEXPECTED', `the issuer is neither the ${form.parties[0]} nor the ${form.parties[1]}`)
  const { proof, ...claims } = credential
  enter('credentialSubject')
  const different = whereDifferent(claims, claimsOf(form, account, file, exporter))
  if (different !== undefined) {
    enter(different)
    throw new FileError('CLAIM_DIFFERS', 'it is not what the signed receipts say')
  }
  enter('proof')
  return [account, { issuer: didOf(exporter), created: checkProof(claims, proof, exporter) }]
}

function partiesOf<File, Account>(
  { parties }: FileForm<string, File, Account>,
  account: Account,
): [PeerName, PeerName] {
  return [account[parties[0]] as PeerName, account[parties[1]] as PeerName]
}

/** The credential without its proof. `exporter` is one of the two parties, and says it of the other. */
function claimsOf<File, Account extends Accounted>(
  form: FileForm<string, File, Account>,
  account: Account,
  file: File,
  exporter: PeerName,
): Credential {
  const [serving, served] = partiesOf(form, account)
  if (exporter !== serving && exporter !== served)
    throw new Fault('SIGNER_UNEXPECTED', `only the ${form.parties[0]} and the ${form.parties[1]} can say it`)
  if (account.lastMs === null) throw new FileError('NO_RECEIPT', 'there is no receipt in it')
  if (account.lastMs > dateMsMax) throw new Fault('FIELD_INVALID', 'the last receipt is of no date')
  const said = Object.entries(account).filter(([key]) => key !== form.parties[0] && key !== form.parties[1])
  return {
    '@context': context,
    type: ['VerifiableCredential', form.credentialType],
    issuer: didOf(exporter),
    validFrom: new Date(account.lastMs).toISOString(),
    credentialSubject: {
      id: didOf(exporter === serving ? served : serving),
      [form.parties[0]]: didOf(serving),
      [form.parties[1]]: didOf(served),
      ...Object.fromEntries(said),
    },
    evidence: [{ type: form.evidenceType, file: file as unknown as Json }],
  }
}

/** Answers with the date of the proof. Throws a Fault. */
function checkProof(claims: Credential, proof: Json | undefined, exporter: PeerName): string {
  const options = typeof proof === 'object' && proof !== null && !Array.isArray(proof) ? (proof as Credential) : {}
  const { created, proofValue } = options
  if (typeof created !== 'string' || !createdPattern.test(created))
    throw new Fault('FIELD_INVALID', 'the proof has no date')
  if (typeof proofValue !== 'string') throw new Fault('FIELD_INVALID', 'the proof has no value')
  const method = multikeyOf(exporter)
  const different = whereDifferent(options, {
    '@context': context,
    type: 'DataIntegrityProof',
    cryptosuite: 'eddsa-jcs-2022',
    created,
    verificationMethod: `did:key:${method}#${method}`,
    proofPurpose: 'assertionMethod',
    proofValue,
  })
  if (different !== undefined) throw new Fault('FIELD_INVALID', `the proof is of another kind: ${different}`)
  if (!isProofOf(publicKeyOf(exporter), claims, options))
    throw new Fault('SIGNATURE_INVALID', 'the proof does not fit the credential')
  return created
}

/** Data Integrity EdDSA Cryptosuites v1.0, section 3.3.2: verifies a proof of any document. */
export function isProofOf(publicKey: Uint8Array, unsecured: Credential, proof: Credential): boolean {
  const { proofValue, ...options } = proof
  if (typeof proofValue !== 'string') return false
  const signature = signatureOf(proofValue)
  return signature !== undefined && isSignedBy(publicKey, hashData(options, unsecured), signature)
}

function signatureOf(multibase: string): Uint8Array | undefined {
  try {
    const bytes = multibase.length > 128 ? undefined : base58btc.decode(multibase)
    return bytes?.byteLength === signatureBytes ? bytes : undefined
  } catch {
    return undefined
  }
}

/** Section 3.3.4: the hash of the proof's own options first. */
export function hashData(options: Credential, unsecured: Credential): Uint8Array {
  return concat([options, unsecured].map((part) => sha256(fromString(canonicalJson(part)))))
}
