// What is said where there is no engine, or one that cannot be used: an engine of the test's own, that answers as it is told.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { realClock, silentLog } from '../../../src/environment.ts'
import { createContainerExecutor } from '../../../src/execution/container/container-executor.ts'
import { LogFrames } from '../../../src/execution/container/log-frames.ts'
import { programBody, type ProgramBody } from '../../../src/execution/container/create-body.ts'
import { socketPaths } from '../../../src/execution/container/socket.ts'
import { Scratch } from '../../fixtures/executions.ts'

const probe = async (socketPath: string | null, env: Record<string, string> = {}) =>
  createContainerExecutor(
    { socketPath, owner: 'test', mayPull: false, mayEgress: false },
    { clock: realClock, log: silentLog, env },
  ).probe()

const podman = { Version: '5.4.2', Arch: 'amd64', Components: [{ Name: 'Podman Engine' }] }

async function withEngine(answers: Record<string, unknown>, use: (path: string) => Promise<void>): Promise<void> {
  using scratch = new Scratch()
  const path = join(scratch.path, 'engine.sock')
  const server = createServer((request, response) => {
    const answer = answers[request.url ?? '']
    response.writeHead(answer === undefined ? 500 : 200)
    response.end(JSON.stringify(answer ?? { message: 'out of order' }))
  })
  await new Promise<void>((resolve) => {
    server.listen(path, resolve)
  })
  try {
    await use(path)
  } finally {
    server.close()
  }
}

describe('an engine that is not there, or cannot', () => {
  test('no socket', async () => {
    const { usable, detail } = await probe('/no/such.sock')
    assert.equal(usable, false)
    assert.equal(detail, 'no container engine listens at /no/such.sock')
  })

  test('no limit of memory', async () => {
    const info = { MemoryLimit: false, PidsLimit: false, CpuCfsQuota: true }
    await withEngine({ '/version': podman, '/info': info }, async (path) => {
      const { usable, detail } = await probe(path)
      assert.equal(usable, false)
      assert.equal(detail, 'podman 5.4 cannot limit memory, processes here')
    })
  })

  test('an architecture for which there is no probe', async () => {
    const info = { MemoryLimit: true, CpuCfsQuota: true }
    await withEngine({ '/version': { ...podman, Arch: 's390x' }, '/info': info }, async (path) => {
      assert.match((await probe(path)).detail, /runs on s390x/)
    })
  })

  test('an engine out of order is passed over, and named when there is no other', async () => {
    await withEngine({}, async (path) => {
      const { usable, detail } = await probe(null, { DOCKER_HOST: `unix://${path}` })
      assert.equal(usable, false)
      assert.match(detail, /engine\.sock: out of order/)
    })
  })
})

test('where engines listen: the word of the environment first, and none over TCP', () => {
  const known = ['/var/run/docker.sock', '/run/podman/podman.sock']
  assert.deepEqual(socketPaths({}), known)
  assert.deepEqual(socketPaths({ DOCKER_HOST: 'tcp://10.0.0.1:2375' }), known)
  assert.deepEqual(socketPaths({ DOCKER_HOST: 'unix:///a.sock', XDG_RUNTIME_DIR: '/run/user/1' }), [
    '/a.sock',
    '/var/run/docker.sock',
    '/run/user/1/podman/podman.sock',
    '/run/podman/podman.sock',
  ])
})

test('frames of the log, however they are cut', () => {
  const frame = (stream: number, text: string): Buffer => {
    const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0])
    header.writeUInt32BE(text.length, 4)
    return Buffer.concat([header, Buffer.from(text)])
  }
  const all = Buffer.concat([frame(1, 'out'), frame(2, 'err'), frame(1, ''), frame(1, 'more')])
  for (let size = 1; size <= all.byteLength; size++) {
    const frames = new LogFrames()
    const said = { stdout: '', stderr: '' }
    for (let at = 0; at < all.byteLength; at += size)
      for (const { stream, bytes } of frames.push(all.subarray(at, at + size)))
        said[stream] += Buffer.from(bytes).toString('utf8')
    assert.deepEqual(said, { stdout: 'outmore', stderr: 'err' })
  }
  assert.throws(() => new LogFrames().push(Buffer.from('HTTP/1.1 200 OK\r\n')), /is of stream 72/)
})

test('GPUs: a device request of Docker, devices by their names of Podman', () => {
  const asked = {
    task: { id: 'a', image: { archivePath: '/a', sha256: '', digest: null }, entrypoint: null },
    args: [],
    env: {},
    hasStdin: false,
    limits: { wallMs: 1, cpuMilli: 500, memoryBytes: 1, outputBytes: 1, logBytes: 1, gas: 1 },
    reference: 'image',
    imageVolumes: [],
    volumes: { inputs: 'in', outputs: 'out' },
    guard: 'g',
    isService: false,
    isKept: false,
    labels: { owner: 'o', task: 'a' },
  } as const
  const host = (kind: ProgramBody['kind'], gpus: number): Record<string, unknown> =>
    (
      programBody({ ...asked, kind, task: { ...asked.task, egress: false, gpus, service: null } }) as {
        HostConfig: Record<string, unknown>
      }
    ).HostConfig
  assert.deepEqual(host('docker', 2)['DeviceRequests'], [{ Driver: 'nvidia', Count: 2, Capabilities: [['gpu']] }])
  const paths = host('podman', 2)['Devices'] as { PathOnHost: string }[]
  assert.deepEqual(
    paths.map(({ PathOnHost }) => PathOnHost),
    ['nvidia.com/gpu=0', 'nvidia.com/gpu=1'],
  )
  for (const kind of ['docker', 'podman'] as const) {
    const none = host(kind, 0)
    assert.deepEqual([none['DeviceRequests'], none['Devices']], [undefined, undefined])
  }
})
