// A peer of go-libp2p, which has TLS alone, and a host of ours: whoever dials, the muxer is agreed on in the handshake, and streams work.

import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { after, before, describe, test } from 'node:test'

import { addressOf, eventually, inTime, startedHost } from '../host/network.ts'

const source = join(import.meta.dirname, 'go')
const buildMs = 300_000

function whyNot(): string | false {
  if (process.env['PLEACH_GO'] !== '1')
    return 'it is asked for with PLEACH_GO=1: Go fetches and compiles go-libp2p for it'
  return spawnSync('go', ['version']).status === 0 ? false : 'there is no go on this machine'
}

describe('go-libp2p', { skip: whyNot(), timeout: 2 * buildMs }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'pleach-go-'))
  const program = join(folder, 'stranger')
  let stranger: ChildProcess | undefined

  before(() => {
    const { status, stderr } = spawnSync('go', ['build', '-o', program, '.'], {
      cwd: source,
      encoding: 'utf8',
      timeout: buildMs,
    })
    assert.equal(status, 0, stderr)
  })
  after(() => {
    stranger?.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })

  test('dials us under TLS, agrees on yamux in the handshake, and has its pings answered', async () => {
    const host = await startedHost()
    try {
      const dialling = spawn(program, ['dial', `${addressOf(host)}`, '3'], { timeout: 30_000 })
      let [said, wrong] = ['', '']
      dialling.stdout.on('data', (text: Buffer) => (said += text.toString()))
      dialling.stderr.on('data', (text: Buffer) => (wrong += text.toString()))
      const [code] = (await once(dialling, 'close')) as [number | null]
      assert.equal(wrong, '')
      assert.equal(code, 0)
      assert.equal(said, '/tls/1.0.0 /yamux/1.0.0 early true\npong\npong\npong\n')
    } finally {
      await host.stop()
    }
  })

  test('is dialled by us under TLS, and stays', async () => {
    const listening = spawn(program, ['listen'], { stdio: ['pipe', 'pipe', 'inherit'] })
    stranger = listening
    const [address] = (await once(createInterface({ input: listening.stdout }), 'line', { signal: inTime() })) as [
      string,
    ]
    const host = await startedHost()
    try {
      await host.dial(address, inTime())
      const [connection] = host.connections()
      assert.equal(connection?.encrypter, 'tls')
      listening.stdin.end()
      await eventually('its end is noticed', () => host.connections().length === 0)
    } finally {
      await host.stop()
    }
  })
})
