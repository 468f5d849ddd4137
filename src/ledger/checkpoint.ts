/** How far the chain of the peer had come, signed by it. For itself: nobody else is shown one. */
import * as dagCbor from '@ipld/dag-cbor'

import type { Notary } from '../../protocols/negotiate/index.ts'
import { Fault, openEnvelope, sealEnvelope, type StatementType } from '../../protocols/wire/index.ts'

export interface Checkpoint {
  readonly position: number
  readonly link: Uint8Array
  /** Receipts that the ledger held. */
  readonly receipts: number
  readonly issuedMs: number
}

export const checkpointType: StatementType = { name: 'ledger-checkpoint', version: 1 }

export function sealCheckpoint({ signer, network }: Notary, checkpoint: Checkpoint): Uint8Array {
  return sealEnvelope(signer, network, checkpointType, dagCbor.encode(checkpoint))
}

/** Throws a Fault when it is none, or another peer's. */
export function openCheckpoint({ signer, network }: Notary, envelope: Uint8Array): Checkpoint {
  const { by, body } = openEnvelope(signer, network, checkpointType, envelope)
  if (by !== signer.peer) throw new Fault('SIGNER_UNEXPECTED', 'the checkpoint is by another peer', { by })
  const { position, link, receipts, issuedMs } = dagCbor.decode<Checkpoint>(body)
  return { position, link, receipts, issuedMs }
}
