// Who may connect to what: only the requester of a lease, only while its program runs, only the ports that its job exposes.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { encodeJobManifest, type JobManifest } from '../../protocols/execute/index.ts'
import { createForward } from '../../protocols/forward/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import type { Executor, PortConnection } from '../../src/execution/executor.ts'
import type { LeaseState } from '../../src/market/lease-machine.ts'
import { Forwards } from '../../src/node/forwards.ts'
import { manifestOf } from '../negotiate/parties.ts'
import { Switchboard } from '../support/channel-pair.ts'
import { signer } from '../support/peers.ts'

const never = new AbortController().signal
const [provider, requester, stranger] = [signer(1).peer, signer(2).peer, signer(3).peer]
const lease = 'ab'.repeat(32)
const other = 'cd'.repeat(32)
const service: JobManifest = {
  ...manifestOf('service'),
  engine: 'oci',
  container: {
    image: null,
    digest: null,
    entrypoint: null,
    egress: false,
    gpus: 0,
    service: { ports: [80, 81], health: null },
  },
}

/** Only what is looked at. */
const stateOf = (id: string, manifest: JobManifest, at: string): LeaseState =>
  ({
    hold: {
      at: 'leased',
      requester,
      lease: { id, award: { body: { manifest: encodeJobManifest(manifest).bytes } } },
    },
    task: { at },
  }) as unknown as LeaseState

async function stage(leases: readonly LeaseState[]) {
  const board = new Switchboard()
  const connected: [string, number][] = []
  const executor = {
    async connect(id: string, port: number): Promise<PortConnection> {
      if (port !== 80) throw new Error('nobody listens')
      connected.push([id, port])
      return { received: (async function* () {})(), send: async () => {}, end() {}, close() {} }
    },
  } as unknown as Executor
  const forwards = new Forwards({
    host: { streams: board.streamsOf(provider) },
    clock: realClock,
    log: silentLog,
    executors: { executor },
    provider: { leases: () => leases },
    book: {
      find: () => {
        throw new Error('there are no jobs here')
      },
    },
  })
  await forwards.serve()
  const ask = async (from: string, id: string, port: number): Promise<string> => {
    const asking = createForward({
      streams: board.streamsOf(from),
      timekeeper: realClock,
      connect: () => assert.fail(),
    })
    try {
      const connection = await asking.open(provider, id, port, never)
      const end = { received: (async function* () {})(), send: async () => {}, end() {}, close() {} }
      await connection.carry(end, never)
      return 'OPENED'
    } catch (error) {
      return (error as { code?: string }).code ?? String(error)
    }
  }
  return { ask, connected }
}

test('the requester of a running lease, at a port that is exposed and listened on', async () => {
  const { ask, connected } = await stage([stateOf(lease, service, 'running')])
  assert.equal(await ask(requester, lease, 80), 'OPENED')
  assert.deepEqual(connected, [[lease, 80]])
  assert.equal(await ask(requester, lease, 81), 'PORT_CLOSED')
  assert.equal(await ask(requester, lease, 22), 'PORT_NOT_EXPOSED')
})

test('nobody else, and nothing that does not run: which of them it is, is not told', async () => {
  const { ask, connected } = await stage([
    stateOf(lease, service, 'running'),
    stateOf(other, service, 'staging'),
    stateOf('ef'.repeat(32), manifestOf('job'), 'running'),
  ])
  assert.equal(await ask(stranger, lease, 80), 'LEASE_UNKNOWN')
  assert.equal(await ask(requester, other, 80), 'LEASE_UNKNOWN')
  assert.equal(await ask(requester, '00'.repeat(32), 80), 'LEASE_UNKNOWN')
  assert.equal(await ask(requester, 'ef'.repeat(32), 80), 'PORT_NOT_EXPOSED')
  assert.deepEqual(connected, [])
})
