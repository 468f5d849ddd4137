/**
 * Every statement that an honest peer wrote down was signed by whom it names. Judged here by hand, not by the code under test:
 * the machines believe what the codecs let through.
 */
import { equals } from 'uint8arrays'

import { decodeEnvelope } from '../../protocols/wire/envelope-form.ts'
import { decodePublicKey, peerNameOf, signedBytes } from '../../protocols/wire/index.ts'
import { honest, type CheckedWorld, type MeshChecker } from './checker.ts'

export const statementsHold: MeshChecker = {
  name: 'statements-hold',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of honest(world)) {
      for (const { statement } of peer.disk.statements) {
        // What an honest peer said in this life of the mesh it signed itself.
        if (world.said.has(statement.envelope) || world.peerOf(statement.by)?.vice === null) continue
        if (!isSigned(world, peer.plan.notary.network, statement.envelope, statement.by, statement.kind))
          wrong.push(
            `peer ${peer.number} wrote down a ${statement.kind} that is not by ${world.numberOf(statement.by)}`,
          )
      }
    }
    return wrong
  },
}

const encoder = new TextEncoder()

function isSigned(world: CheckedWorld, network: string, envelope: Uint8Array, by: string, kind: string): boolean {
  const { publicKey, payloadType, payload, signature } = decodeEnvelope(envelope)
  const key = decodePublicKey(publicKey)
  const domain = encoder.encode(`pleach/${kind}/1@${network}`)
  const { signer } = world.peers[0]!.plan.notary
  if (!equals(payloadType, encoder.encode(`/pleach/${kind}/1@${network}`))) return false
  return peerNameOf(key) === by && signer.verify(key, signedBytes(domain, payloadType, payload), signature)
}
