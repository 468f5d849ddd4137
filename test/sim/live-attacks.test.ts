// Attacks on the whole mesh: names by the dozen, floods, and lies about who has what.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { capabilityNamespace, openCapability } from '../../protocols/capability/index.ts'
import { publicKeyOf } from '../../protocols/wire/index.ts'
import type { LivePeer } from '../../sim/live/live-peer.ts'
import { identityNear, placeOfRecord } from '../../sim/live/vices/index.ts'
import type { LiveRole, LiveWorld } from '../../sim/live/world.ts'
import { SeededRandom } from '../../sim/random.ts'
import { identityFromSeed } from '../../src/host/index.ts'
import { sleeps } from '../fixtures/programs.ts'
import { asker, booted, deadlineMs, ended, inTime, lender, Opinions, run, Scratch, until } from '../support/live.ts'

const text = 'well, well\n'
let scratch: Scratch
before(async () => {
  scratch = await Scratch.make()
})
after(async () => scratch.remove())

describe('many names at one address', { timeout: deadlineMs }, () => {
  const sybils = 8
  const first = 5
  let world: LiveWorld

  before(async () => {
    world = await booted(7, [
      asker,
      ...Array.from({ length: first - 1 }, () => lender),
      ...Array.from({ length: sybils }, (): LiveRole => ({ ...lender, vice: 'sybil', at: first })),
    ])
  })
  after(async () => ended(world))

  test('one of them is tried, and then those that are elsewhere', async () => {
    const [requester] = world.peers as [LivePeer]
    const story = await run(requester, { module: await scratch.file('sybil.wasm', sleeps(10, text)) })
    assert.equal(story.job.stage, 'paid')
    assert.equal(world.peers.find(({ name }) => name === story.job.provider?.peer)?.vice, null)
    assert.equal(story.replaced.length, 1)
    assert.match(story.replaced[0]!, /NO_ANSWER$/)
  })
})

/** How many of the records of others an honest peer finds, and how many it takes for lawful that are not. */
async function findings(askers: readonly LivePeer[], targets: readonly LivePeer[], network: string) {
  const count = { asked: 0, found: 0, wrong: 0 }
  for (const who of askers) {
    for (const whose of targets) {
      if (who === whose) continue
      count.asked += 1
      const value = await who.host.bulletin.get(capabilityNamespace, publicKeyOf(whose.name), inTime())
      if (value === undefined) continue
      const { by, body } = openCapability(who.identity.signer, network, value, Date.now())
      if (by === whose.name && !body.withdrawn) count.found += 1
      else count.wrong += 1
    }
  }
  return count
}

describe('answers for the DHT that are made up', { timeout: deadlineMs }, () => {
  const honest = 10
  let world: LiveWorld

  before(async () => {
    world = await booted(8, [
      ...Array.from({ length: honest }, () => lender),
      ...Array.from({ length: 5 }, (): LiveRole => ({ ...lender, vice: 'poison', victims: [] })),
    ])
  })
  after(async () => ended(world))

  test('every record is found, and none that is not so', async () => {
    const peers = world.peers.slice(0, honest)
    const { asked, found, wrong } = await findings(peers, peers, world.network)
    assert.equal(asked, honest * (honest - 1))
    assert.deepEqual({ found, wrong }, { found: asked, wrong: 0 })
  })
})

describe('names that were looked for until they lay around a record', { timeout: deadlineMs }, () => {
  const honest = 10
  /** As many as store a record. */
  const around = 6
  let world: LiveWorld

  before(async () => {
    const random = SeededRandom.of(9, 'eclipse')
    const identities = Array.from({ length: honest }, () => identityFromSeed(random.bytes(32)))
    const place = placeOfRecord(identities[1]!.peer)
    world = await booted(9, [
      ...identities.map((identity, index): LiveRole => ({ ...(index === 0 ? asker : lender), identity })),
      ...Array.from({ length: around }, (): LiveRole => ({
        ...asker,
        vice: 'eclipse',
        identity: identityNear(place, 7, random),
      })),
    ])
  })
  after(async () => ended(world))

  test('others are found as before, and the peer whose record is hidden still gets work', async () => {
    const peers = world.peers.slice(0, honest)
    const [requester, hidden, ...others] = peers as [LivePeer, LivePeer, ...LivePeer[]]
    const rest = await findings(peers, others, world.network)
    assert.deepEqual([rest.found, rest.wrong], [rest.asked, 0])
    // The record is nowhere but with them, who do not give it, and with whose it is.
    const seekers = [requester, ...others]
    const near = seekers.filter(({ host }) => host.connections().some(({ peer }) => peer === hidden.name))
    assert.ok(near.length > 0)
    const { asked, found, wrong } = await findings(near, [hidden], world.network)
    assert.deepEqual({ found, wrong }, { found: asked, wrong: 0 })
    const story = await run(requester, { module: await scratch.file('hidden.wasm', sleeps(10, text)) })
    assert.equal(story.job.stage, 'paid')
    assert.ok(story.all('offer').some(({ peer }) => peer.peer === hidden.name))
  })
})

describe('a peer that says a hundred times what it has to say', { timeout: deadlineMs }, () => {
  const flooder = 6
  let world: LiveWorld

  before(async () => {
    world = await booted(10, [
      ...Array.from({ length: 3 }, () => asker),
      ...Array.from({ length: 3 }, () => lender),
      { ...asker, vice: 'flood' },
    ])
  })
  after(async () => ended(world))

  test('is cut off from the gossip, costs little from then on, and keeps nobody from work', async () => {
    const requester = world.peers[0]!
    // Its own view does not count: whoever has stopped listening to it does not answer when it wants to be a neighbour again.
    const { name } = world.peers[flooder]!
    const others = world.peers.filter(({ index }) => index !== flooder)
    await until('nobody listens to it', () => others.every(({ host }) => !host.meshPeers(world.topic).includes(name)))
    // Offers that it was made hold for some seconds yet.
    const module = await scratch.file('flood.wasm', sleeps(10, text))
    const before = process.cpuUsage()
    const startedMs = performance.now()
    const story = await run(requester, { module })
    await run(requester, { module })
    assert.equal(story.job.stage, 'paid')
    const { user, system } = process.cpuUsage(before)
    const share = (user + system) / 1_000 / (performance.now() - startedMs)
    assert.ok(share < 0.9, `${share} of a processor for seven peers, the flooder among them`)
    await world.stopPeers()
    assert.deepEqual(new Opinions(world).amongHonest, [])
  })
})
