/** The three statements that make a lease: AWARD, ACCEPT, COMMIT (protocols/negotiate/README.md). */
import { hexOf, isSame } from './bytes.ts'
import { keyOfPeer } from './keys.ts'
import { need, type Enter } from './problem.ts'
import type { Schema } from './protobuf.ts'
import {
  checkedCid,
  checkedHash,
  checkedNumber,
  checkedText,
  cidOfDocument,
  hashBytes,
  openMessage,
} from './statement.ts'
import { readTariff, tariffSchema, type Tariff } from './tariff.ts'

export interface Lease {
  /** Hex of the SHA-256 of the award's envelope. */
  readonly id: string
  readonly idBytes: Uint8Array
  readonly requester: string
  readonly provider: string
  readonly job: string
  readonly slot: number
  readonly epoch: number
  readonly unit: string
  readonly tariff: Tariff
  readonly cpuMilli: number
  readonly ceilingMicro: number
  readonly issuedMs: number
}

export interface LeaseStatements {
  readonly award: Uint8Array
  readonly accept: Uint8Array
  readonly commit: Uint8Array
}

const manifestBytesMax = 256 * 1024
const slotMax = 1023
const gpusMax = 1024

const awardSchema: Schema = {
  1: 'string',
  2: 'uint32',
  3: 'uint32',
  4: 'string',
  5: 'bytes',
  6: 'string',
  7: tariffSchema,
  8: 'uint64',
  9: 'uint64',
  10: 'uint64',
  11: 'uint64',
  12: 'uint64',
  13: 'uint64',
  14: 'uint64',
  15: 'uint64',
  16: 'uint64',
  17: 'uint64',
  18: 'bytes',
  19: 'uint32',
}
const acceptSchema: Schema = { 1: 'bytes', 2: 'uint64', 3: 'uint64' }
const commitSchema: Schema = { 1: 'bytes', 2: 'bytes', 3: 'uint64' }

/** `read` gives the bytes of a statement, for the place that was entered. */
export async function openLease(
  network: string,
  read: (name: keyof LeaseStatements) => Uint8Array,
  enter: Enter,
): Promise<Lease> {
  enter('lease.award')
  const lease = await openAward(network, read('award'))
  enter('lease.accept')
  const accept = await openMessage(network, 'accept/1', acceptSchema, read('accept'))
  const accepted = checkedHash(accept.body.bytes(1), 'lease')
  checkedNumber(accept.body.number(2), 'issued_ms')
  checkedNumber(accept.body.number(3), 'commit_by_ms')
  need(
    accept.by === lease.provider,
    'SIGNER_UNEXPECTED',
    'the ACCEPT is not signed by the provider that the AWARD names',
  )
  need(isSame(accepted, lease.idBytes), 'FIELD_INVALID', 'the ACCEPT is of another lease')
  enter('lease.commit')
  const commit = await openMessage(network, 'commit/1', commitSchema, read('commit'))
  const committed = checkedHash(commit.body.bytes(1), 'lease')
  const acceptHash = checkedHash(commit.body.bytes(2), 'accept')
  checkedNumber(commit.body.number(3), 'issued_ms')
  need(commit.by === lease.requester, 'SIGNER_UNEXPECTED', 'the COMMIT is not signed by the requester')
  need(isSame(committed, lease.idBytes), 'FIELD_INVALID', 'the COMMIT is of another lease')
  need(isSame(acceptHash, accept.hash), 'FIELD_INVALID', 'the COMMIT is of another ACCEPT')
  return lease
}

async function openAward(network: string, bytes: Uint8Array): Promise<Lease> {
  const { by, body, hash } = await openMessage(network, 'award/1', awardSchema, bytes)
  const [job, provider, manifest] = [body.text(1), body.text(4), body.bytes(18)]
  keyOfPeer(provider)
  need(manifest.byteLength <= manifestBytesMax, 'FRAME_TOO_LARGE', 'the job manifest is over its cap')
  const isItsManifest = (await cidOfDocument(manifest)) === job
  need(isItsManifest, 'FIELD_INVALID', 'the manifest in the award is not the one the job is named after')
  checkedCid(job, 'job')
  const slot = checkedNumber(body.number(2), 'slot', slotMax)
  const epoch = checkedNumber(body.number(3), 'epoch')
  need(body.bytes(5).byteLength === hashBytes, 'FIELD_INVALID', 'offer is not a SHA-256 hash')
  const unit = checkedText(body.text(6), 'unit')
  const tariff = readTariff(body.inner(7))
  const number = (field: number, name: string): number => checkedNumber(body.number(field), name)
  const cpuMilli = number(8, 'cpu_milli')
  number(9, 'memory_bytes')
  number(10, 'disk_bytes')
  checkedNumber(body.number(19), 'gpus', gpusMax)
  number(11, 'wall_ms_max')
  const ceilingMicro = number(12, 'ceiling_micro')
  const intervalMs = number(13, 'payment_interval_ms')
  const intervalMsMax = number(14, 'payment_interval_ms_max')
  number(15, 'reclaim_ms')
  const issuedMs = number(16, 'issued_ms')
  number(17, 'accept_by_ms')
  const areLawful = intervalMs > 0 && intervalMsMax >= intervalMs
  need(areLawful, 'FIELD_INVALID', 'the payment intervals of the award are not lawful')
  return {
    id: hexOf(hash),
    idBytes: hash,
    requester: by,
    provider,
    job,
    slot,
    epoch,
    unit,
    tariff,
    cpuMilli,
    ceilingMicro,
    issuedMs,
  }
}
