// Hosts on 127.0.0.1 for tests, and ways to wait for what they do: always for an event or a state, always with a deadline.

import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'

import { fromString } from 'uint8arrays'

import type { RecordRules, TopicHandler, Verdict } from '../../protocols/wire/index.ts'
import { realClock, realRandom, silentLog } from '../../src/environment.ts'
import {
  createHost,
  identityFromSeed,
  type Host,
  type HostEnvironment,
  type HostOptions,
} from '../../src/host/index.ts'

export const network = 'sim'
export const topic = `/pleach/${network}/test/1/all`
export const deadlineMs = 10_000

export const seedOf = (number: number): Uint8Array => new Uint8Array(32).fill(number)
export const inTime = (): AbortSignal => AbortSignal.timeout(deadlineMs)

/** A host on a free port of 127.0.0.1, with timers fit for a test. It is not started. */
export const hostOf = async (
  options: Partial<HostOptions> = {},
  environment: Partial<HostEnvironment> = {},
): Promise<Host> =>
  createHost(
    {
      network,
      reach: 'loopback',
      listen: ['/ip4/127.0.0.1/tcp/0'],
      ...options,
      limits: { redialAfterMs: 100, lookEveryMs: 250, ...options.limits },
    },
    {
      identity: identityFromSeed(realRandom.bytes(32)),
      clock: realClock,
      random: realRandom,
      log: silentLog,
      ...environment,
    },
  )

export const startedHost = async (...given: Parameters<typeof hostOf>): Promise<Host> => {
  const host = await hostOf(...given)
  await host.start()
  return host
}

export const addressOf = (host: Host): string => host.addresses()[0] ?? assert.fail('the host does not listen')

/** Resolves once `holds`; fails with `what` when it does not within the deadline. */
export const eventually = async (what: string, holds: () => boolean): Promise<void> => {
  const endMs = performance.now() + deadlineMs
  while (!holds()) {
    if (performance.now() > endMs) assert.fail(`not within ${deadlineMs} ms: ${what}`)
    await sleep(10)
  }
}

export const stopAll = async (hosts: readonly Host[]): Promise<void> => {
  await Promise.all(hosts.map(async (host) => host.stop()))
}

/** A handler that judges by the first byte: `i` is ignored, `r` rejected, all else accepted. Keeps what was delivered. */
export const listener = (): TopicHandler & { readonly heard: string[]; readonly judged: string[] } => {
  const heard: string[] = []
  const judged: string[] = []
  return {
    heard,
    judged,
    messageBytesMax: 64,
    judge(_author, message): Verdict {
      const text = new TextDecoder().decode(message)
      judged.push(text)
      return text.startsWith('i') ? 'ignore' : text.startsWith('r') ? 'reject' : 'accept'
    },
    deliver: (author, message) => void heard.push(`${author} ${new TextDecoder().decode(message)}`),
  }
}

/** Records `<sequence>:<text>` under `<author>` or `<author>/<anything>`; lawful when they begin with a number. */
export const numbered: RecordRules = {
  namespace: 'numbered',
  valueBytesMax: 64,
  validate(key, value) {
    const sequence = Number(new TextDecoder().decode(value).split(':')[0])
    if (!Number.isSafeInteger(sequence)) throw new Error('no sequence number')
    return { sequence, by: new TextDecoder().decode(key).split('/')[0]! }
  },
  select: (_key, values) => {
    const sequences = values.map((value) => Number(new TextDecoder().decode(value).split(':')[0]))
    return sequences.indexOf(Math.max(...sequences))
  },
}

export const bytes = (text: string): Uint8Array => fromString(text)

/** Calls what takes a callback, and resolves when it is called back. */
export const called = async (start: (done: () => void) => unknown): Promise<void> =>
  new Promise((resolve) => {
    start(resolve)
  })
