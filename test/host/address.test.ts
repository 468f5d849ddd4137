import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import type { MultiaddrConnection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'

import { houseAt, isWithin, kindOf, parseAddress, type AddressKind } from '../../src/host/address.ts'
import { createGater } from '../../src/host/gater.ts'
import { HostError } from '../../src/host/index.ts'
import { limitsFor } from '../../src/host/limits.ts'

const kinds: Record<AddressKind, string[]> = {
  public: [
    '1.1.1.1',
    '100.63.255.255',
    '172.32.0.1',
    '198.20.0.1',
    '2606:4700::1111',
    '2a00::1',
    '::ffff:8.8.8.8',
    '::ffff:808:808',
  ],
  loopback: ['127.0.0.1', '127.255.0.3', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '100.127.255.255',
    'fe80::1',
    'fc00::1',
    'fdff::1',
    '::ffff:10.0.0.1',
    '::ffff:a9fe:a9fe',
  ],
  special: [
    '0.0.0.0',
    '0.1.2.3',
    '224.0.0.1',
    '239.255.255.255',
    '240.0.0.1',
    '255.255.255.255',
    '192.0.2.1',
    '198.18.0.1',

    '::',
    'ff02::1',
    '64:ff9b::a00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    '::7f00:1',
    '::ffff:0.0.0.0',
    'not an address',
    '',
  ],
}

describe('where an address leads', () => {
  for (const [kind, ips] of Object.entries(kinds)) {
    for (const ip of ips) test(`${ip || 'nothing'} is ${kind}`, () => assert.equal(kindOf(ip), kind))
  }
})

test('a house is an IPv4 address, or the /64 of an IPv6 one', () => {
  const of = (text: string): string | undefined => houseAt(multiaddr(text))
  assert.equal(
    of('/ip4/1.2.3.4/tcp/1'),
    of('/ip4/1.2.3.4/tcp/2/p2p/12D3KooWEqsavxKCYQrUR2XMyyfCxtj6QDkYrj4y1rJ9UNYZQ6sv'),
  )
  assert.notEqual(of('/ip4/1.2.3.4/tcp/1'), of('/ip4/1.2.3.5/tcp/1'))
  assert.equal(of('/ip6/2606:4700::1111/tcp/1'), of('/ip6/2606:4700:0:0:1::/tcp/1'))
  assert.notEqual(of('/ip6/2606:4700::1111/tcp/1'), of('/ip6/2606:4700:0:1::1111/tcp/1'))
  assert.equal(of('/dns4/example.org/tcp/1'), undefined)
})

const peer = '12D3KooWD3bfmNbuuuVCYwkjnFt3ukm3qaB3hDED3peHHXawvRAi'

describe('what is dialled on the word of others', () => {
  const answers: [address: string, publicly: boolean, lan: boolean, loopback: boolean][] = [
    ['/ip4/1.1.1.1/tcp/1', true, true, false],
    ['/ip6/2606:4700::1111/tcp/1', true, true, false],
    ['/ip4/192.168.1.1/tcp/80', false, true, false],
    ['/ip4/169.254.169.254/tcp/80', false, true, false],
    ['/ip4/127.0.0.1/tcp/6379', false, true, true],
    ['/ip6/::ffff:127.0.0.1/tcp/6379', false, true, true],
    ['/ip6/::ffff:7f00:1/tcp/6379', false, true, true],
    ['/ip4/0.0.0.0/tcp/1', false, false, false],
    ['/ip4/224.0.0.1/tcp/1', false, false, false],
    ['/dns4/localhost/tcp/80', false, false, false],
    ['/dnsaddr/example.org', false, false, false],
    // Where a relay is counts, since that is what is dialled.
    [`/ip4/1.1.1.1/tcp/1/p2p/${peer}/p2p-circuit/p2p/${peer}`, true, true, false],
    [`/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p-circuit/ip4/1.1.1.1/tcp/1/p2p/${peer}`, false, true, false],
    ['/p2p-circuit', false, false, false],
    ['/unix/%2Frun%2Fdocker.sock', false, false, false],
  ]
  for (const [address, publicly, lan, loopback] of answers) {
    test(address, () => {
      assert.equal(isWithin('public', multiaddr(address)), publicly)
      assert.equal(isWithin('lan', multiaddr(address)), lan)
      assert.equal(isWithin('loopback', multiaddr(address)), loopback)
    })
  }

  test('what a person typed is dialled, and only that', async () => {
    const gater = createGater('public', limitsFor('public'))
    const typed = multiaddr('/ip4/192.168.1.1/tcp/4117')
    assert.equal(await gater.denyDialMultiaddr?.(typed), true)
    gater.trust(multiaddr(`/ip4/192.168.1.1/tcp/4117/p2p/${peer}`))
    assert.equal(await gater.denyDialMultiaddr?.(typed), false)
    assert.equal(await gater.filterMultiaddrForPeer?.(undefined as never, typed), true)
    assert.equal(await gater.denyDialMultiaddr?.(multiaddr('/ip4/192.168.1.1/tcp/22')), true)
    const through = `${typed.toString()}/p2p/${peer}/p2p-circuit/p2p/${peer}`
    assert.equal(await gater.denyDialMultiaddr?.(multiaddr(through)), false)
    assert.equal(await gater.denyDialMultiaddr?.(multiaddr('/ip4/192.168.1.2/tcp/4117')), true)
    assert.equal(await gater.filterMultiaddrForPeer?.(undefined as never, multiaddr('/ip4/10.0.0.1/tcp/1')), false)
  })
})

describe('what may be typed', () => {
  const good = [
    '/ip4/10.0.0.1/tcp/1',
    '/dns4/example.org/tcp/4117',
    `/ip6/::1/tcp/1/p2p/${peer}`,
    `/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p-circuit/p2p/${peer}`,
  ]
  const bad = [
    '',
    'nonsense',
    '10.0.0.1:4117',
    '/ip4/10.0.0.1',
    '/ip4/10.0.0.1/udp/1/quic-v1',
    '/ip4/10.0.0.1/tcp/1/ws',
    `/ip4/10.0.0.1/tcp/1/p2p-circuit/p2p/${peer}`,
    `/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p-circuit`,
    `/ip4/10.0.0.1/tcp/1/p2p/${peer}/p2p-circuit/p2p/${peer}/p2p-circuit/p2p/${peer}`,
    '/dnsaddr/example.org',
    '/ip4/10.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N',
  ]
  for (const text of good)
    test(`good: ${text}`, () => assert.equal(parseAddress(` ${text}\n`, 'bootstrap').toString(), text))
  for (const text of bad) {
    test(`bad: ${text || 'nothing'}`, () => {
      assert.throws(
        () => parseAddress(text, 'bootstrap'),
        (error) => error instanceof HostError && error.code === 'ADDRESS_INVALID' && error.message.includes(text),
      )
    })
  }
  test('a relay is named with its address', () => {
    assert.equal(parseAddress(good[2]!, 'relay').toString(), good[2])
    for (const text of [good[0]!, good[3]!]) assert.throws(() => parseAddress(text, 'relay'), HostError)
  })

  test('one does not listen on a name, or as somebody', () => {
    for (const text of good.slice(1)) assert.throws(() => parseAddress(text, 'listen'), HostError)
  })
})

describe('unfinished handshakes', () => {
  const connectionFrom = (ip: string): MultiaddrConnection & EventTarget =>
    Object.assign(new EventTarget(), { remoteAddr: multiaddr(`/ip4/${ip}/tcp/1`) }) as never

  test('of one address are bounded, and of another are not its business', async () => {
    const gater = createGater('public', { inboundPendingPerIpMax: 2 })
    const [one, two, three] = [1, 2, 3].map(() => connectionFrom('1.2.3.4')) as [
      MultiaddrConnection & EventTarget,
      MultiaddrConnection,
      MultiaddrConnection,
    ]
    assert.equal(await gater.denyInboundConnection?.(one), false)
    assert.equal(await gater.denyInboundConnection?.(two), false)
    assert.equal(await gater.denyInboundConnection?.(three), true)
    assert.equal(await gater.denyInboundConnection?.(connectionFrom('1.2.3.5')), false)
    // One is finished, and its close later does not count a second time.
    await gater.denyInboundUpgradedConnection?.(undefined as never, one)
    one.dispatchEvent(new Event('close'))
    assert.equal(await gater.denyInboundConnection?.(connectionFrom('1.2.3.4')), false)
    assert.equal(await gater.denyInboundConnection?.(connectionFrom('1.2.3.4')), true)
  })

  test('end with their connection', async () => {
    const gater = createGater('public', { inboundPendingPerIpMax: 1 })
    for (let count = 0; count < 5; count++) {
      const connection = connectionFrom('1.2.3.4')
      assert.equal(await gater.denyInboundConnection?.(connection), false)
      connection.dispatchEvent(new Event('close'))
    }
  })

  test('of this machine are not bounded by address', async () => {
    const gater = createGater('public', { inboundPendingPerIpMax: 1 })
    for (let count = 0; count < 5; count++)
      assert.equal(await gater.denyInboundConnection?.(connectionFrom('127.0.0.1')), false)
  })
})

test('limits that would make back-pressure abort streams are refused', () => {
  assert.throws(() => limitsFor('lan', { streamWindowBytesMax: 16 * 1024 * 1024 }), RangeError)
})
