// How agents are named, and at which address of a machine their peers are.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

import { realClock, type Clock } from '../../src/environment.ts'
import { hostOf } from '../../sim/commands/agent.ts'
import { agentsInFile, listedAgents, lookUpAgents, namedAgents } from '../../sim/live/agents/addresses.ts'

const bad = { name: 'AddressError' }

test('agents are listed with commas, spaces or lines, each once', () => {
  assert.deepEqual(listedAgents('10.0.0.1:7070, agent-2.example:80\n# the third\n[fd00::3]:7070 # here'), [
    { host: '10.0.0.1', port: 7070 },
    { host: 'agent-2.example', port: 80 },
    { host: 'fd00::3', port: 7070 },
  ])
  for (const text of ['10.0.0.1', '10.0.0.1:70700', 'a b:1', 'http://a:1', 'a:1,a:1'])
    assert.throws(() => listedAgents(text), bad)
})

test('a file may list them, and what is no such file is told', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-named-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'agents')
  const thousand = Array.from({ length: 1_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}:7070`)
  writeFileSync(path, thousand.join('\n'))
  assert.equal(agentsInFile(path).length, 1_000)
  writeFileSync(path, '# nobody yet\n')
  assert.throws(() => agentsInFile(path), { ...bad, message: /names no agent; one HOST:PORT a line/ })
  assert.throws(() => agentsInFile(join(folder, 'missing')), { ...bad, message: /cannot be read: ENOENT/ })
  writeFileSync(path, 'x'.repeat(5_000_000))
  assert.throws(() => agentsInFile(path), { ...bad, message: /more than/ })
})

test('one name may stand for all, and so many are waited for until somebody listens there', async () => {
  const named = namedAgents('dns:agents.mesh:7070')!
  assert.deepEqual(named, { name: 'agents.mesh', port: 7070 })
  assert.equal(namedAgents('agents.mesh:7070'), undefined)
  assert.throws(() => namedAgents('dns:agents.mesh'), bad)
  const known = [[], ['10.0.0.10'], ['10.0.0.10', '10.0.0.9', '10.0.0.9'], ['10.0.0.9', '10.0.0.10']]
  const said: string[] = []
  let waits = 0
  const clock: Clock = { ...realClock, sleep: async () => void (waits += 1) }
  const agents = await lookUpAgents(named, {
    count: 2,
    clock,
    addressesOf: async () => {
      const addresses = known[waits]!
      if (addresses.length === 0) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
      return addresses
    },
    isThere: async ({ host }) => host === '10.0.0.10' || waits === 3,
    say: (line) => said.push(line),
  })
  assert.deepEqual(agents, [
    { host: '10.0.0.9', port: 7070 },
    { host: '10.0.0.10', port: 7070 },
  ])
  assert.deepEqual(said, ['  0 of 2 agents are there', '  1 of 2 agents are there'])
})

test('agents that do not come are waited for no longer than is said', async () => {
  const clock: Clock = { ...realClock, sleep: async () => Promise.reject(new Error('time is over')) }
  const options = { clock, addressesOf: async () => ['10.0.0.1'], isThere: async () => true, say: () => {} }
  await assert.rejects(lookUpAgents({ name: 'agents', port: 1 }, { ...options, count: 3 }), {
    name: 'AgentError',
    message: /1 agents listen at agents:1, and not 3: .*--agents-wanted/,
  })
  const addressesOf = async (): Promise<never> => Promise.reject(Object.assign(new Error(), { code: 'ENOTFOUND' }))
  await assert.rejects(lookUpAgents({ name: 'agents', port: 1 }, { ...options, addressesOf, count: 0 }), {
    name: 'AgentError',
    message: /agents has no address \(ENOTFOUND\)/,
  })
})

test('names are resolved as the system does it, and a port is tried', async (t) => {
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const { port } = server.address() as AddressInfo
  const options = { clock: realClock, say: () => {} }
  const one = [{ host: '127.0.0.1', port }]
  assert.deepEqual(await lookUpAgents({ name: 'localhost', port }, { ...options, count: 0 }), one)
  assert.deepEqual(await lookUpAgents({ name: 'localhost', port }, { ...options, count: 1 }), one)
})

test('peers of an agent are at the one address that others see, or at the one that is said', () => {
  const at = (address: string, internal = false) =>
    ({ address, internal, family: 'IPv4', netmask: '', mac: '', cidr: null }) as const
  const one = { lo: [at('127.0.0.1', true)], eth0: [at('10.1.2.3')] }
  assert.deepEqual(hostOf('127.0.0.1', undefined, one), { host: '127.0.0.1' })
  assert.deepEqual(hostOf('10.1.2.3', undefined, one), { host: '10.1.2.3' })
  assert.deepEqual(hostOf('0.0.0.0', undefined, one), { host: '10.1.2.3' })
  assert.deepEqual(hostOf('0.0.0.0', '10.9.9.9', one), { host: '10.9.9.9' })
  assert.deepEqual(hostOf('::1', '127.0.0.1', one), { host: '127.0.0.1' })
  const says = (said: ReturnType<typeof hostOf>): string => ('error' in said ? said.error : '')
  assert.match(says(hostOf('0.0.0.0', 'agents.mesh', one)), /--host is an IPv4 address .*, not agents.mesh/)
  assert.match(says(hostOf('0.0.0.0', '0.0.0.0', one)), /--host is an IPv4 address/)
  assert.match(
    says(hostOf('0.0.0.0', undefined, { ...one, eth1: [at('10.4.0.1')] })),
    /--host 10.1.2.3, or --host 10.4.0.1/,
  )
  assert.match(says(hostOf('0.0.0.0', undefined, { lo: one.lo })), /no IPv4 address that others reach/)
})
