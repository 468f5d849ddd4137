// A container job from end to end: the image is carried over the mesh as an object, run by a real Podman, and named in the
// result that both sides keep.

import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'

import { realClock } from '../../src/environment.ts'
import type { ForwardEvent } from '../../src/control/api.ts'
import { createPeer, type EmbeddedPeer } from '../../src/index.ts'
import { busybox, busyboxImage, sha256 } from '../fixtures/images.ts'
import { PodmanService } from '../fixtures/podman.ts'
import { exits } from '../fixtures/programs.ts'
import { inTime } from '../support/mesh.ts'

const mib = 2 ** 20
const small = { memory: '64Mi', disk: '1Mi', logBytes: mib, outputBytes: mib, timeout: '60s' }
const shell = busybox()
const service = shell === undefined ? 'busybox-static is not installed' : await PodmanService.start()
after(async () => {
  if (typeof service !== 'string') await service[Symbol.asyncDispose]()
})

describe('a container job', { skip: typeof service === 'string' ? `skipped: ${service}` : false }, () => {
  let net: { readonly requester: EmbeddedPeer; readonly providers: readonly EmbeddedPeer[] } | undefined
  let folder: string
  let imagePath: string
  const image = shell === undefined ? undefined : busyboxImage(shell)

  before(async () => {
    assert.ok(typeof service !== 'string' && image !== undefined)
    const { socketPath } = service
    folder = await mkdtemp(join(tmpdir(), 'pleach-container-'))
    imagePath = join(folder, 'image.tar')
    await writeFile(imagePath, image.archive)
    const containers = { socketPath, mayPull: false, mayEgress: false }
    const requester = await createPeer({ network: 'containers', dataDir: join(folder, 'requester') })
    const common = { network: 'containers', bootstrap: requester.addresses() }
    // The second provider has no containers.
    const providers = await Promise.all([{ containers }, {}].map(async (offer) => createPeer({ ...common, offer })))
    net = { requester, providers }
    while ((await requester.findProviders({})).length < 2) await realClock.sleep(50, inTime())
  })
  after(async () => {
    if (net !== undefined) await Promise.all([net.requester, ...net.providers].map(async (peer) => peer.stop()))
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  })

  test('the record says who runs containers, and in what', async () => {
    const { requester, providers } = net!
    const { offers } = await requester.control.findOffers({ runtime: 'oci' }, true, inTime())
    assert.deepEqual(
      offers.map(({ peer, runtimes, egress }) => [peer, runtimes, egress]),
      [[providers[0]!.id, ['wasi-preview1', 'oci'], false]],
    )
    const { explanation } = await requester.control.findOffers({ runtime: 'oci', egress: true }, false, inTime())
    assert.deepEqual(
      explanation.excluded.map(({ requirement }) => requirement),
      ['runtime oci', 'egress'],
    )
  })

  test('runs what the image holds, and brings back what it left', async () => {
    const out = join(folder, 'out')
    const input = join(folder, 'input.txt')
    await writeFile(input, 'carried\n')
    const job = await net!.requester.run({
      ...small,
      image: imagePath,
      imageDigest: image!.digest,
      args: ['cat /in/input.txt; echo $WORD; mkdir /out/deep; cp /in/input.txt /out/deep/copy; exit 3'],
      env: { WORD: 'spoken' },
      inputs: [input],
      out,
    })
    await job.done.catch(() => {})
    assert.equal(job.exitCode, 3)
    assert.equal(await readFile(join(out, 'deep', 'copy'), 'utf8'), 'carried\n')
    const logs: string[] = []
    for await (const event of job.events({ logs: true }))
      if (event.type === 'log') logs.push(Buffer.from(event.bytes).toString('utf8'))
    assert.equal(logs.join(''), 'carried\nspoken\n')
    assert.equal(job.receipt.bothSigned, job.receipt.receipts)
    // What the last receipt names: a result with the bytes of the archive, and what the engine calls what it loaded.
    // The peer has its ledger to itself: a copy is read.
    for (const name of ['ledger.db', 'ledger.db-wal'])
      await copyFile(join(folder, 'requester', name), join(folder, name))
    using ledger = new DatabaseSync(join(folder, 'ledger.db'))
    const row = ledger.prepare("SELECT envelope FROM statements WHERE kind = 'result'").get() as {
      envelope: Uint8Array
    }
    const envelope = Buffer.from(row.envelope)
    assert.ok(envelope.includes(image!.digest) && envelope.includes(sha256(image!.archive)))
  })

  test('an image of another digest than the job wants is refused, with the reason, and nobody else is asked', async () => {
    const job = await net!.requester.run({
      ...small,
      image: imagePath,
      imageDigest: `sha256:${'0'.repeat(64)}`,
      args: ['true'],
    })
    await assert.rejects(job.text({ signal: inTime() }), (error: Error) =>
      /and the job wants sha256:0+/.test(String(error.message) + JSON.stringify(error)),
    )
  })

  test('what is neither, both, or not for images is a mistake', async () => {
    const { requester } = net!
    await assert.rejects(requester.run({}), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ module: exits(0), image: imagePath }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ module: exits(0), entrypoint: ['sh'] }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ image: imagePath, runtime: 'wasi-preview1' }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ module: exits(0), ports: [80] }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ image: imagePath, type: 'service' }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ image: imagePath, ports: [80], health: 'icmp:80' }), { code: 'BAD_SPEC' })
    await assert.rejects(requester.run({ image: join(folder, 'none.tar') }), { code: 'NO_SUCH_FILE' })
  })

  test('a service: its port is reached through the mesh, by its requester alone, until it is cancelled', async () => {
    const { requester, providers } = net!
    const script =
      'mkdir /tmp/w; echo woven > /tmp/w/index.html; echo ready; exec /bin/busybox httpd -f -p 80 -h /tmp/w'
    const job = await requester.run({
      ...small,
      image: imagePath,
      args: [script],
      ports: [80, 81],
      health: 'http:80/index.html',
    })
    const signal = AbortSignal.timeout(60_000)
    for await (const event of job.events({ logs: true, signal })) if (event.type === 'log') break
    const ending = new AbortController()
    const events: ForwardEvent[] = []
    const { promise: listening, resolve } = Promise.withResolvers<number>()
    const forwarding = (async () => {
      for await (const event of requester.control.forward(job.id, { port: 80, local: 0 }, ending.signal)) {
        events.push(event)
        if (event.type === 'listening') resolve(event.port)
      }
    })()
    const url = `http://127.0.0.1:${await listening}/`
    assert.equal(await (await fetch(url)).text(), 'woven\n')
    while ((await job.view()).health?.state !== 'healthy') await realClock.sleep(100, signal)
    const all = await Promise.all(Array.from({ length: 4 }, async () => (await fetch(url)).text()))
    assert.deepEqual(new Set(all), new Set(['woven\n']))

    // Others are told nothing; what the job does not expose, and what nobody listens on, is refused.
    const refused = async (by: EmbeddedPeer, port: number): Promise<string | undefined> => {
      for await (const event of by.control.forward(job.id, { port, local: 0 }, signal)) {
        if (event.type === 'listening') void fetch(`http://127.0.0.1:${event.port}/`).catch(() => {})
        if (event.type === 'refused') return event.code
      }
      return undefined
    }
    assert.equal(await refused(requester, 8_080), 'PORT_NOT_EXPOSED')
    assert.equal(await refused(requester, 81), 'PORT_CLOSED')
    for (const other of providers) await assert.rejects(refused(other, 80), { code: 'NOT_FOUND' })

    await job.cancel()
    await forwarding
    assert.equal(events.at(-1)?.type, 'end')
    assert.equal((await requester.control.job(job.id)).reason, 'cancelled')
    await assert.rejects(fetch(url))
    ending.abort()

    // It is run again under another name: its image is at hand, though the file may be gone.
    const again = await job.rerun()
    assert.notEqual(again.id, job.id)
    for await (const event of again.events({ logs: true, signal })) if (event.type === 'log') break
    for await (const event of requester.control.forward(again.id, { port: 80, local: 0 }, signal)) {
      if (event.type === 'listening')
        assert.equal(await (await fetch(`http://127.0.0.1:${event.port}/`)).text(), 'woven\n')
      if (event.type === 'closed') break
    }
    await again.cancel()
  })

  test('a service that is not well is ended, and the reason is said', async () => {
    const job = await net!.requester.run({
      ...small,
      image: imagePath,
      args: ['sleep 100'],
      ports: [80],
      health: 'tcp:80',
    })
    const seen = new Set<string>()
    for await (const event of job.events({ signal: AbortSignal.timeout(90_000) }))
      if (event.type === 'progress' && event.health !== undefined)
        seen.add(`${event.health.state} ${event.health.failures}/${event.health.failuresMax}`)
    assert.ok(seen.has('starting 0/3') && seen.has('starting 1/3') && seen.has('starting 2/3'), [...seen].join())
    await assert.rejects(job.text({ signal: AbortSignal.timeout(90_000) }), { code: 'TRAPPED' })
    assert.equal((await job.view()).health, null)
    const { detail } = await job.view()
    assert.match(detail, /its health check failed 3 times in a row: nobody listens on port 80/)
  })

  test('an owner who pauses holds containers, too; they go on where they were', async () => {
    const { requester, providers } = net!
    const job = await requester.run({
      ...small,
      image: imagePath,
      args: ['i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.05; done'],
    })
    let lines = ''
    const hearing = (async () => {
      for await (const event of job.events({ logs: true, signal: AbortSignal.timeout(60_000) }))
        if (event.type === 'log') lines += Buffer.from(event.bytes).toString('utf8')
    })()
    const { control } = providers[0]!
    const heardWithin = async (ms: number): Promise<boolean> => {
      const before = lines
      await realClock.sleep(ms, inTime())
      return lines !== before
    }
    while (lines === '') await realClock.sleep(50, inTime())
    await control.pause({})
    for (let tries = 0; tries < 10 && (await heardWithin(500)); tries++);
    assert.equal(await heardWithin(1_500), false, 'it is held')
    await control.resume()
    for (let tries = 0; tries < 10 && !(await heardWithin(500)); tries++);
    assert.ok(await heardWithin(1_000), 'it goes on')
    await job.cancel()
    await hearing
    const numbers = lines.trim().split('\n').map(Number)
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, at) => at + 1),
    )
  })

  test('deployContainer: there, and its state behind a URL', async () => {
    const { requester, providers } = net!
    const request = { providerId: providers[0]!.id, image: imagePath, envVars: { A: 'b' } }
    const { statusUrl, job } = await requester.deployContainer(request)
    const { id } = (await (await fetch(statusUrl)).json()) as { id: string }
    assert.equal(id, job.id)
    assert.equal((await fetch(statusUrl.replace(/\/[0-9a-f-]{36}\//, '/guess/'))).status, 404)
    await job.done.catch(() => {})
    const { stage } = (await (await fetch(statusUrl)).json()) as { stage: string }
    assert.equal(stage, 'paid')
    await assert.rejects(requester.deployContainer({ ...request, providerId: providers[1]!.id }), {
      code: 'NO_CONTAINER_RUNTIME',
    })
  })
})
