// Containers and their providers: killed with SIGKILL in the middle of a job, or of a service, and started again.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import type { Peer } from '../../src/node.ts'
import { busybox, busyboxImage } from '../fixtures/images.ts'
import { PodmanService } from '../fixtures/podman.ts'
import { assertPaidOnce, startDoomed } from '../support/doomed.ts'
import { eventually, inTime, lendsNothing, Mesh, storyOf } from '../support/mesh.ts'

const withinMs = 60_000
const shell = busybox()
const service = shell === undefined ? 'busybox-static is not installed' : await PodmanService.start()
const skip = typeof service === 'string' ? `skipped: ${service}` : false
after(async () => {
  if (typeof service !== 'string') await service[Symbol.asyncDispose]()
})

async function stage(mesh: Mesh) {
  assert.ok(typeof service !== 'string')
  const containers = { socketPath: service.socketPath, mayPull: false, mayEgress: false }
  const options = mesh.optionsOf('doomed', { offer: { containers } })
  return {
    options,
    first: await startDoomed(options),
    consumer: mesh.peer('consumer'),
    image: await mesh.file('image.tar', busyboxImage(shell!).archive),
    executor: service.executor(),
  }
}

const small = { memoryBytes: 64 * 2 ** 20, diskBytes: 2 ** 20, logBytes: 2 ** 20, outputBytes: 2 ** 20 }

describe('a provider of containers that is killed and comes back', { skip }, () => {
  test('in the middle of a job: one run, the whole log, the outputs, one payment', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing })
    const { options, first, consumer, image } = await stage(mesh)
    const out = join(mesh.folder, 'out')
    const script =
      'for i in a b c d e f g h i j k l m n o p q r s t; do printf $i; sleep 0.3; done; echo out > /out/done'
    const { id } = await consumer.control.submit({ ...small, image, args: [script], out }, inTime())
    await storyOf(consumer, id, 'log')
    const going = storyOf(consumer, id, 'end', withinMs)
    going.catch(() => {})
    await first.kill()
    const second = await startDoomed(options)
    try {
      assert.equal(second.name, first.name)
      const story = await going
      assert.deepEqual([story.job.stage, story.job.exitCode, story.job.attempts], ['paid', 0, 1], story.job.detail)
      assert.deepEqual(story.all('replacing'), [])
      assert.equal(story.bytes('stdout').toString(), 'abcdefghijklmnopqrst')
      assert.equal(await readFile(join(out, 'done'), 'latin1'), 'out\n')
      await assertPaidOnce(consumer)
    } finally {
      await second.kill()
    }
  })

  test('of a service: it is the same one, and its port is reached again', async () => {
    await using mesh = await Mesh.of({ consumer: lendsNothing })
    const { options, first, consumer, image } = await stage(mesh)
    const script =
      'mkdir /tmp/w; head -c 16 /dev/urandom | /bin/busybox od -An -tx1 > /tmp/w/index.html; echo up; exec /bin/busybox httpd -f -p 80 -h /tmp/w'
    const asked = { ...small, image, args: [script], ports: [80], health: 'http:80/index.html' }
    const { id } = await consumer.control.submit(asked, inTime())
    await storyOf(consumer, id, 'log')
    const one = await fetched(consumer, id)
    await first.kill()
    await assert.rejects(fetched(consumer, id))
    const second = await startDoomed(options)
    try {
      let again = ''
      await eventually('its port is reached again', async () => {
        again = await fetched(consumer, id).catch(() => '')
        return again !== ''
      })
      assert.equal(again, one, 'what it made of chance at its start is what it was')
      assert.equal((await consumer.control.job(id)).attempts, 1)
      await consumer.control.cancel(id)
      const { job } = await storyOf(consumer, id, 'end', withinMs)
      assert.deepEqual([job.stage, job.reason], ['paid', 'cancelled'])
    } finally {
      await second.kill()
    }
  })
})

/** What is behind port 80 of a job. */
async function fetched({ control }: Peer, job: string): Promise<string> {
  const over = new AbortController()
  try {
    for await (const event of control.forward(job, { port: 80, local: 0 }, over.signal))
      if (event.type === 'listening')
        return await (await fetch(`http://127.0.0.1:${event.port}/`, { signal: AbortSignal.timeout(2_000) })).text()
    throw new Error('it is over')
  } finally {
    over.abort()
  }
}
