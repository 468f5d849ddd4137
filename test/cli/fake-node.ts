/**
 * A composition root that opens no socket of the network, for `up` and `devnet`: what is tried there is the command around
 * the peer. TEST_PEER says what goes wrong; TEST_PEER_LOG names a file with a line for everything that is done to it.
 */
import { appendFileSync } from 'node:fs'

import type { ForegroundPeer, ReadyFacts } from '../../src/cli/foreground-peer.ts'
import type { PeerOptions } from '../../src/config/options.ts'
import { formatMicro } from '../../src/config/quantities.ts'
import type { Log } from '../../src/environment.ts'
import { FakeControl } from '../control/fake-control.ts'

const goesWrong = process.env['TEST_PEER'] ?? ''
const tell = (what: unknown): void => {
  if (process.env['TEST_PEER_LOG'] !== undefined) {
    appendFileSync(process.env['TEST_PEER_LOG'], `${JSON.stringify(what)}\n`)
  }
}

/** As src/host throws them. */
const hostError = (code: string, message: string, cure: string, facts: object): Error =>
  Object.assign(new Error(message), { name: 'HostError', code, cure, facts })

const names = ['amber-loom', 'brisk-reed', 'calm-twill', 'dusk-weir', 'elm-wattle']
let made = 0

export async function createPeer(options: PeerOptions, { log }: { log: Log }): Promise<ForegroundPeer> {
  tell({ made: options })
  if (goesWrong === 'port') {
    const facts = { address: '0.0.0.0', port: 4117, pid: 331, command: 'nginx' }
    throw hostError('PORT_IN_USE', 'tcp/4117 on 0.0.0.0 is used by nginx (pid 331)', 'choose another port', facts)
  }
  if (goesWrong === 'key') {
    const path = `${options.dataDir}/key`
    const message = `the key file ${path} can be read or written by others (mode 0644): whoever has it is this peer`
    throw hostError('KEY_EXPOSED', message, `chmod 600 ${path}`, { path })
  }
  if (goesWrong === 'address') {
    throw hostError('ADDRESS_INVALID', 'cannot begin from /ip4/1.2.3.4/tcp/1', 'write it like …', {})
  }
  const index = made++
  const name = `12D3KooW${'Fake'.repeat(10)}${String(index).padStart(4, '0')}`
  const { offer } = options
  const facts: ReadyFacts = {
    connections: index === 0 ? 0 : 1,
    meshDegree: 4,
    records: 5,
    firstRun: goesWrong === '',
    keyPath: `${options.dataDir}/key`,
    offering:
      offer === null
        ? null
        : { ...offer, price: formatMicro(offer.cpuHourMicro), gasPrice: formatMicro(offer.policy?.gigaGasMicro ?? 0) },
    isolation: 'wasm only',
    measured: { cores: 8, memoryBytes: 31 * 2 ** 30, diskFreeBytes: 412e9 },
  }
  return {
    name,
    petname: names[index] ?? `peer-${index}`,
    addresses: () => [`/ip4/127.0.0.1/tcp/${4117 + index}/p2p/${name}`],
    control: new FakeControl(),
    async ready(signal) {
      log('info', 'a line\u001b[2J of the log', { peer: name })
      if (goesWrong === 'never ready') {
        await new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
        })
      }
      if (goesWrong === 'ready fails') throw new Error('no luck')
      return facts
    },
    async stop() {
      tell({ stopped: options.dataDir })
      if (goesWrong === 'never stops') await Promise.withResolvers().promise
    },
  }
}
