/** A peer that signs two awards of one place is proven by whoever got both, and third peers deal with it no more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { decodeEvidence, encodeEvidence, evidenceProtocol } from '../../protocols/evidence/index.ts'
import { EquivocationFault, sealAccept, sealAward } from '../../protocols/negotiate/index.ts'
import { sealCountersignature } from '../../protocols/receipt/index.ts'
import { Fault, sha256, type PeerName } from '../../protocols/wire/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { Proofs, proofsMax } from '../../src/ledger/proofs.ts'
import { Store } from '../../src/ledger/store.ts'
import { Equivocations } from '../../src/node/equivocations.ts'
import type { Courier } from '../../src/node/routes.ts'
import { createSigner } from '../../src/host/signer.ts'
import { asker, network, stranger, worker } from '../spec/vectors/kinds.ts'
import {
  accept,
  award,
  countersignatures,
  first,
  leaseHash,
  receiptAfter,
  second as billed,
  terms,
} from '../spec/vectors/lease.ts'

const second = sealAward(asker, { ...terms, ceilingMicro: terms.ceilingMicro + 1 })
const fault = new EquivocationFault('two different AWARDs of one epoch', award, second)
const fourth: typeof asker = { network, signer: createSigner(sha256(Uint8Array.of(4))) }
const settle = async () => sleep(50)

/** Peers that are all connected to each other; a frame that is a fault is held against who sent it. */
class Company {
  readonly members = new Map<PeerName, { equivocations: Equivocations; proven: Map<PeerName, string>; store: Store }>()
  /** Those that were shown two statements of their own. */
  readonly doubting: string[] = []
  readonly faults: { by: PeerName; against: PeerName; code: string }[] = []
  sent = 0
  readonly #handlers = new Map<PeerName, (from: PeerName, frame: Uint8Array) => void>()

  async join(notary: typeof asker): Promise<Equivocations> {
    const self = notary.signer.peer
    const store = Store.open(':memory:', realClock, silentLog)
    const proven = new Map<PeerName, string>()
    const courier: Courier = {
      register: async (protocol, _limits, onFrame) => {
        assert.equal(protocol, evidenceProtocol)
        this.#handlers.set(self, onFrame)
      },
      send: (to, _protocol, frame) => {
        this.sent++
        this.deliver(self, to, frame)
      },
    }
    const equivocations = new Equivocations({
      notary,
      clock: realClock,
      log: silentLog,
      courier,
      proofs: new Proofs(store),
      outcomes: { onProven: (peer, evidence) => void proven.set(peer, evidence) },
      care: { onOwnEquivocation: (of) => void this.doubting.push(`${self} ${of}`) },
      host: { connections: () => [...this.members.keys()].filter((peer) => peer !== self).map((peer) => ({ peer })) },
    })
    await equivocations.serve()
    this.members.set(self, { equivocations, proven, store })
    return equivocations
  }

  deliver(from: PeerName, to: PeerName, frame: Uint8Array): void {
    try {
      this.#handlers.get(to)?.(from, frame)
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      this.faults.push({ by: from, against: to, code: error.code })
    }
  }

  [Symbol.dispose](): void {
    for (const { store } of this.members.values()) store.close()
  }
}

test('an equivocating requester is proven: a third peer holds it against the one who signed, and keeps both envelopes', async () => {
  using company = new Company()
  const [, finder, third] = [await company.join(asker), await company.join(worker), await company.join(stranger)]
  finder.onFault(asker.signer.peer, fault)
  await settle()
  for (const peer of [finder, third]) assert.ok(peer.isProven(asker.signer.peer))
  const { proven, store } = company.members.get(stranger.signer.peer)!
  assert.match(proven.get(asker.signer.peer) ?? '', /^EQUIVOCATION .*award/)
  const proof = new Proofs(store).get(asker.signer.peer)!
  assert.deepEqual(decodeEvidence(encodeEvidence(proof)), { first: award.envelope, second: second.envelope })
  assert.equal(company.sent, 2, 'the one who signed is shown it too, and who is shown it does not pass it on')
  const doubted = [`${asker.signer.peer} award`]
  assert.deepEqual(company.doubting, doubted)
  assert.equal(company.members.get(asker.signer.peer)!.proven.size, 0, 'nobody holds anything against itself')
  finder.onFault(asker.signer.peer, fault)
  await settle()
  assert.equal(company.sent, 2, 'one proof is enough')
  company.deliver(stranger.signer.peer, asker.signer.peer, encodeEvidence(proof))
  assert.deepEqual(company.doubting, doubted, 'its owner has been told')
  assert.deepEqual(company.faults, [])
})

test('a provider that accepts one award twice is proven as well', async () => {
  using company = new Company()
  const [finder, third] = [await company.join(asker), await company.join(stranger)]
  const later = sealAccept(worker, { ...accept.body, lease: leaseHash, issuedMs: accept.body.issuedMs + 1 })
  finder.onFault(worker.signer.peer, new EquivocationFault('two different ACCEPTs of one award', accept, later))
  await settle()
  assert.ok(third.isProven(worker.signer.peer))
})

test('a provider that bills one number twice is proven, and a requester that signs one twice', async () => {
  using company = new Company()
  const [finder, third] = [await company.join(stranger), await company.join(fourth)]
  const fork = receiptAfter(first, 3_002)
  finder.onFault(worker.signer.peer, new EquivocationFault('two receipts', billed, fork))
  const [signed] = countersignatures
  const again = sealCountersignature(asker, { ...signed!.body, issuedMs: signed!.body.issuedMs + 1 })
  finder.onFault(asker.signer.peer, new EquivocationFault('two countersignatures', signed!, again))
  await settle()
  for (const peer of [worker, asker]) assert.ok(third.isProven(peer.signer.peer))
  const { proven } = company.members.get(fourth.signer.peer)!
  assert.match(proven.get(worker.signer.peer) ?? '', /receipt/)
  assert.match(proven.get(asker.signer.peer) ?? '', /countersignature/)
})

test('bad evidence is a fault of whoever brings it, and costs the accused nothing', async () => {
  using company = new Company()
  const third = await company.join(stranger)
  const bring = (first: Uint8Array, other: Uint8Array): void =>
    company.deliver(worker.signer.peer, stranger.signer.peer, encodeEvidence({ first, second: other }))
  bring(award.envelope, award.envelope)
  bring(award.envelope, sealAward(asker, { ...terms, epoch: 2 }).envelope)
  bring(award.envelope, accept.envelope)
  company.deliver(worker.signer.peer, stranger.signer.peer, Uint8Array.of(0x0a, 0xff))
  await settle()
  assert.deepEqual(
    company.faults.map(({ by, code }) => [by, code]),
    [
      ...Array.from({ length: 3 }, () => [worker.signer.peer, 'PROOF_INVALID']),
      [worker.signer.peer, 'FRAME_MALFORMED'],
    ],
  )
  assert.ok(!third.isProven(asker.signer.peer))
  assert.equal(company.members.get(stranger.signer.peer)!.proven.size, 0)
})

test('any other fault is nobody else’s business', async () => {
  using company = new Company()
  const [finder, third] = [await company.join(worker), await company.join(stranger)]
  finder.onFault(asker.signer.peer, new Fault('EQUIVOCATION', 'two different receipts with one number'))
  await settle()
  assert.equal(company.sent, 0)
  assert.ok(!third.isProven(asker.signer.peer))
})

test('proofs are bounded: the oldest gives way', async () => {
  const store = Store.open(':memory:', realClock, silentLog)
  const proofs = new Proofs(store)
  for (let peer = 0; peer <= proofsMax; peer++)
    await proofs.put({ peer: `peer-${peer}`, first: Uint8Array.of(1), second: Uint8Array.of(2), atMs: peer })
  assert.ok(!proofs.has('peer-0'))
  assert.ok(proofs.has('peer-1') && proofs.has(`peer-${proofsMax}`))
  store.close()
})
