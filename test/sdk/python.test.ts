// python/pleach.py against a real peer: its control socket, its providers, a job.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'

import { plainPolicy } from '../../src/config/options.ts'
import type { ControlServer } from '../../src/control/server.ts'
import { testnet, type Testnet } from '../../src/testing/index.ts'
import { Home } from '../cli/command-line.ts'
import { prints } from '../fixtures/programs.ts'
import { inTime } from '../support/mesh.ts'

const folder = join(import.meta.dirname, '..', '..', 'python')
const found = spawnSync('python3', ['-c', 'import sys; print(sys.version_info >= (3, 9))'], { encoding: 'utf8' })
const skip = found.stdout?.trim() === 'True' ? false : 'there is no python3 of 3.9 or newer on this machine'

describe('python/pleach.py', { skip }, () => {
  const home = new Home()
  let net: Testnet
  let server: ControlServer
  before(async () => {
    net = await testnet({
      peers: 3,
      seed: 9,
      offer: (index) => ({
        cpuHourMicro: index * 1_000_000,
        policy: { ...plainPolicy, region: index === 1 ? 'eu' : 'us' },
      }),
      signal: inTime(),
    })
    server = await home.serve(net.requester.control)
  })
  after(async () => {
    await server.close()
    await net.stop()
    home.remove()
  })

  /** The JSON that a program prints. This process answers meanwhile. */
  const python = async (program: string): Promise<unknown> => {
    const text = `import json, sys, warnings\nfrom pleach import *\n${program}`
    const env = { ...home.env, PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: '1' }
    const child = spawn('python3', ['-c', text], { env, cwd: home.path, signal: inTime() })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    const { promise, resolve, reject } = Promise.withResolvers<number | null>()
    child.once('close', resolve)
    child.once('error', reject)
    assert.equal(await promise, 0, err)
    return JSON.parse(out) as unknown
  }

  test('finds the peer, and providers by requirements, best first', async () => {
    const said = await python(`
client = ComputeClient()
everybody = client.find_providers()
eu = client.find_providers({"region": "eu", "max_price_per_hour": 1.5})
print(json.dumps([client.status()["peer"], sorted(p.id for p in everybody), [[p.id, p.price, p.unit] for p in eu],
  len(client.find_providers({"region": "eu", "min_nodes": 2}))]))`)
    const [first, second] = net.providers
    assert.deepEqual(said, [net.requester.id, [first!.id, second!.id].toSorted(), [[first!.id, 1, 'credit']], 0])
  })

  test('nobody fits: an empty list, and why', async () => {
    const said = await python(`
client = ComputeClient(timeout_s=20)
wanted = {"gpu_type": "4090", "min_vram_gb": 24}
why = client.explain(wanted)
print(json.dumps([client.find_providers(wanted), why["known"], [row["requirement"] for row in why["excluded"]]]))`)
    assert.deepEqual(said, [[], 2, ['gpu = 4090']])
  })

  test('runs a module', async () => {
    writeFileSync(join(home.path, 'says.wasm'), prints([1, 'from afar'], [2, 'a word']))
    const said = await python(`
job = ComputeClient().run("says.wasm", memoryBytes=2**26, diskBytes=2**20, logBytes=2**20, outputBytes=2**20)
print(json.dumps([job.text(), job.stderr.decode(), job.exit_code, job.view["stage"]]))`)
    assert.deepEqual(said, ['from afar', 'a word', 0, 'paid'])
  })

  test('errors have a code: no such key, nobody fits, no container runtime, no peer', async () => {
    const said = await python(`
def code(call):
    try:
        call()
    except PleachError as error:
        return [error.code, error.cure != ""]
client = ComputeClient()
small = dict(memoryBytes=2**26, diskBytes=2**20, logBytes=2**20, outputBytes=2**20)
print(json.dumps([
    code(lambda: client.run("says.wasm", memroy=1)),
    code(lambda: client.run("none.wasm")),
    code(lambda: client.run("says.wasm", cpuMilli=64000, waitMs=1000, **small)),
    code(lambda: client.find_providers({"vram": 1})),
    code(lambda: client.deploy_container(provider_id="12D3KooWDR7TqDCCd7QvTDNnqsXhiptumuPaUkpCd9gBGQhs2Leq", image="nginx", env_vars={"A": "b"})),
    code(lambda: ComputeClient(socket_path="none.sock").status()),
    code(lambda: list(client.events("nothing")))]))`)
    assert.deepEqual(
      said,
      ['BAD_SPEC', 'NO_SUCH_FILE', 'NO_MATCH', 'BAD_SPEC', 'NO_CONTAINER_RUNTIME', 'NO_PEER', 'NOT_FOUND'].map(
        (code) => [code, true],
      ),
    )
  })

  test('a private key is not taken, and that is said', async () => {
    const said = await python(`
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    ComputeClient(private_key="0x00")
print(json.dumps([str(one.message) for one in caught]))`)
    assert.deepEqual(said, ['private_key is not used: the peer that is asked has its own'])
  })
})
