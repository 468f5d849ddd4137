/** A bond that a requester asks for: an offer that names less is not taken, whatever it costs; the AWARD names what was offered. */
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { decodeNegotiation, sealOffer } from '../../protocols/negotiate/index.ts'
import { offerTerms } from '../negotiate/parties.ts'
import { World } from '../support/bench.ts'

test('an offer with less than the bond that is asked for is not chosen, and the lease names the bond of the one that is', async () => {
  const world = new World()
  const [asker, worker] = [world.peer(1, { lends: false }), world.peer(2)]
  const cheap = world.peer(3, { lends: false })
  const terms = asker.terms()
  await asker.requester.submit({ ...terms, requirements: { ...terms.requirements, bondMicroMin: 40_000 } })
  const { cpuMilli, memoryBytes, diskBytes } = terms.requirements
  const nowMs = world.clock.nowMs()
  const offers = { job: terms.job, cpuHourMicro: 1, cpuMilli, memoryBytes, diskBytes, issuedMs: nowMs }
  const offered = offerTerms({ ...offers, holdUntilMs: nowMs + 10_000, bondMicro: 39_999 })
  asker.requester.onNegotiation(cheap.name, { say: 'offer', offer: sealOffer(cheap.notary, offered) })
  await world.until(() => asker.jobEvents.some(({ stage }) => stage === 'ended'))
  const taken = asker.jobEvents.flatMap((event) =>
    event.stage === 'offered' || event.stage === 'matched' ? [`${event.stage} ${event.peer}`] : [],
  )
  assert.deepEqual(taken, [`offered ${worker.name}`, `matched ${worker.name}`])
  const { bytes } = world.frames.find(({ say }) => say === 'AWARD')!
  const message = decodeNegotiation(asker.notary, bytes)
  assert.ok(message.say === 'award' && message.award.body.bondMicro === 40_000)
})
