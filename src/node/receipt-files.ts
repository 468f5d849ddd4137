/** Receipts as their owner asks for them: the list, and those of one lease or of one account of storage, as a file or in the verifiable form. */
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { toString } from 'uint8arrays'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { sealCredential, type Credential } from '../../protocols/receipt/credential.ts'
import type { ReceiptFile } from '../../protocols/receipt/file.ts'
import { FileError } from '../../protocols/receipt/form.ts'
import { sealStorageCredential, type StorageFile } from '../../protocols/storage/file.ts'
import { Fault } from '../../protocols/wire/index.ts'
import { ControlError, type ReceiptFilter, type ReceiptView } from '../control/api.ts'
import type { Clock } from '../environment.ts'
import type { LeaseTotal, Receipts } from '../ledger/receipts.ts'
import type { StorageAccounts, StorageAccountView } from './storage-accounts.ts'
import { receiptView } from './views.ts'

export interface ReceiptFilesDeps {
  readonly notary: Notary
  readonly receipts: Receipts
  readonly storage: Pick<StorageAccounts, 'list' | 'receipts'>
  readonly clock: Clock
  /** Why the receipts of a lease that begins so are not shown, though they are there. */
  damageOf(id: string): ControlError | undefined
}

const rawCode = 0x55
const sha256Code = 0x12
const cidLetters = 'abcdefghijklmnopqrstuvwxyz234567'
/** What stands before the hash in the CID of a receipt: `b`, and 32 bits. */
const cidPrefixBits = 32
const hexPattern = /^[0-9a-f]{1,64}$/
/** Named in the error when an id fits more than one account. */
const namedMax = 4

type Found =
  | { readonly of: 'work'; readonly total: LeaseTotal }
  | { readonly of: 'storage'; readonly account: StorageAccountView }

export class ReceiptFiles {
  readonly #deps: ReceiptFilesDeps

  constructor(deps: ReceiptFilesDeps) {
    this.#deps = deps
  }

  /** Newest first. */
  list({ lease, job, peer, sinceMs }: ReceiptFilter): ReceiptView[] {
    const disputed = this.#deps.receipts.disputedLeases()
    return this.#deps.receipts
      .totals()
      .filter((total) => lease === undefined || total.lease.startsWith(lease))
      .filter((total) => job === undefined || total.job.startsWith(job) || total.job.endsWith(job))
      .filter((total) => sinceMs === undefined || total.updatedMs >= sinceMs)
      .map((total) => receiptView(total, disputed.get(total.lease)))
      .filter(
        ({ other }) =>
          peer === undefined || other.petname === peer || other.peer.startsWith(peer) || other.peer.endsWith(peer),
      )
  }

  /** `id`: the beginning of a lease's, a job's, a receipt's or an account's of storage, or the end of a job's. */
  file(id: string): ReceiptFile | StorageFile {
    const found = this.#find(id)
    return found.of === 'work' ? this.#workFile(found.total) : this.#storageFile(found.account)
  }

  #workFile({ lease, role }: LeaseTotal): ReceiptFile {
    const { receipts, notary } = this.#deps
    const statement = (kind: string): string => base64(receipts.statement(lease, kind)) ?? ''
    return {
      v: 1,
      kind: 'pleach-receipts',
      network: notary.network,
      lease: { award: statement('award'), accept: statement('accept'), commit: statement('commit') },
      result: base64(receipts.statement(lease, 'result')),
      receipts: receipts.chain(lease, role).map(({ envelope, countersignature }) => ({
        receipt: base64(envelope)!,
        countersignature: base64(countersignature),
      })),
      disputes: receipts.disputes(lease, role).map(({ envelope }) => base64(envelope)!),
    }
  }

  #storageFile(view: StorageAccountView): StorageFile {
    const { storage, notary } = this.#deps
    const { account, role, other, period } = view
    const self = notary.signer.peer
    const receipts = storage.receipts(view).map(({ receipt, countersignature }) => ({
      receipt: base64(receipt)!,
      countersignature: base64(countersignature),
    }))
    if (receipts.length === 0) {
      throw new ControlError({
        code: 'NO_RECEIPT',
        what: `account ${account.slice(0, 8)} has no receipt yet`,
        why: 'the first comes with the second audit, or once a relay has carried something',
        cure: 'pleach receipts --storage',
        exit: 2,
      })
    }
    const [owner, keeper] = role === 'owner' ? [self, other] : [other, self]
    return { v: 1, kind: 'pleach-storage-receipts', network: notary.network, owner, keeper, period, receipts }
  }

  credential(id: string): Credential {
    const { notary, clock } = this.#deps
    const file = this.file(id)
    try {
      return file.kind === 'pleach-receipts'
        ? sealCredential(notary, file, clock.nowMs())
        : sealStorageCredential(notary, file, clock.nowMs())
    } catch (error) {
      if (!(error instanceof Fault || error instanceof FileError)) throw error
      throw new ControlError({
        code: 'NOT_VERIFIED',
        what: `the receipts of ${id} cannot be exported`,
        why: `they do not hold: ${error.message}`,
        cure: `pleach receipt verify ${id}`,
        exit: 3,
      })
    }
  }

  #find(id: string): Found {
    const { receipts, storage } = this.#deps
    const all: readonly Found[] = [
      ...receipts.totals().map((total) => ({ of: 'work', total }) as const),
      ...storage.list().map((account) => ({ of: 'storage', account }) as const),
    ]
    const leases = new Set(hashPrefixesOf(id).flatMap((prefix) => receipts.leasesByReceipt(prefix)))
    // What begins so comes before what ends so: the end of a job is a short way to say it.
    const ways: readonly ((found: Found) => boolean)[] = [
      (found) => idOf(found) === id || (found.of === 'work' && found.total.job === id),
      (found) =>
        idOf(found).startsWith(id) ||
        (found.of === 'work' && (found.total.job.startsWith(id) || leases.has(found.total.lease))),
      (found) => found.of === 'work' && found.total.job.endsWith(id),
    ]
    for (const fits of ways) {
      const found = all.filter(fits)
      if (found.length === 1) return found[0]!
      if (found.length > 1) throw ambiguous(id, found)
    }
    throw (
      this.#deps.damageOf(id) ??
      new ControlError({
        code: 'NOT_FOUND',
        what: `no receipt for ${id}`,
        why: 'no lease, job, receipt or account of storage of this peer begins so',
        cure: 'pleach receipts   or: pleach receipts --storage',
        exit: 2,
      })
    )
  }
}

function idOf(found: Found): string {
  return found.of === 'work' ? found.total.lease : found.account.account
}

function ambiguous(id: string, found: readonly Found[]): ControlError {
  const named = found.slice(0, namedMax).map((one) => idOf(one).slice(0, 12))
  const areLeases = found.every((one) => one.of === 'work')
  const more = found.length > namedMax ? ` and ${found.length - namedMax} more` : ''
  return new ControlError({
    code: 'AMBIGUOUS',
    what: `${found.length} ${areLeases ? 'leases' : 'accounts'} fit ${id}`,
    why: `${named.join(', ')}${more}`,
    cure: `pleach receipt show ${named[0]}`,
    exit: 2,
  })
}

/** Hex that the hash of a receipt begins with, when the id may be one: as hex, or as a CID (CIDv1, raw, SHA-256) or the beginning of one. */
function hashPrefixesOf(id: string): string[] {
  if (hexPattern.test(id)) return [id]
  const example = CID.createV1(rawCode, Digest.create(sha256Code, new Uint8Array(32))).toString()
  const common = example.slice(0, 1 + Math.floor(cidPrefixBits / 5))
  const letters = Array.from(id.slice(1), (letter) => cidLetters.indexOf(letter))
  if (!id.startsWith(common) || letters.includes(-1)) return []
  const bits = letters.map((letter) => letter.toString(2).padStart(5, '0')).join('')
  const nibbles = bits.slice(cidPrefixBits).match(/.{4}/g) ?? []
  return nibbles.length === 0 ? [] : [nibbles.map((nibble) => Number.parseInt(nibble, 2).toString(16)).join('')]
}

function base64(bytes: Uint8Array | undefined | null): string | null {
  return bytes == null ? null : toString(bytes, 'base64pad')
}
