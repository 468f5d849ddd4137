/** What `pleach up` says once the peer is ready: who it is, what it lends, how it is connected. Only what is true today. */
import type { PeerOptions } from '../config/options.ts'
import { safe } from './escape.ts'
import type { ForegroundPeer, ReadyFacts } from './foreground-peer.ts'
import { count, cpu, memory, prices, shortPeer, size } from './format.ts'

const labelChars = 11

export function bannerLines(
  peer: ForegroundPeer,
  facts: ReadyFacts,
  options: PeerOptions,
  readyMs: number,
  home: string | undefined,
): string[] {
  const { offering, measured } = facts
  const line = (label: string, text: string): string => `${label.padEnd(labelChars)}${text}`
  const key =
    home !== undefined && facts.keyPath.startsWith(`${home}/`) ? `~${facts.keyPath.slice(home.length)}` : facts.keyPath
  const identity = `${shortPeer(peer.name)} "${safe(peer.petname, 40)}"   ${key} (0600)`
  const has = `${count(measured.cores, 'core')} ${memory(measured.memoryBytes)} ram ${size(measured.diskFreeBytes)} free`
  return [
    facts.firstRun ? `new identity ${identity}` : line('identity', identity),
    line('measured', has),
    offering === null
      ? line('offering', 'nothing   (pleach up --offer lends this machine)')
      : line('offering', `${lent(offering)}   (change: --cpu, --memory, --storage, --price)`),
    line('isolation', safe(facts.isolation, 200)),
    line('network', `${options.network}, ${networkText(facts, options)}${reachText(peer.addresses())}`),
    ...peer.addresses().map((address) => line('', safe(address, 200))),
    `${line('visible', `mesh ${facts.meshDegree}, ${count(facts.records, 'record')} known`).padEnd(56)}ready ${(readyMs / 1_000).toFixed(1)} s`,
  ]
}

/** Whoever can be dialled needs no words for it: the addresses follow. */
function reachText(addresses: readonly string[]): string {
  const relays = addresses.flatMap((address) => /\/p2p\/([^/]+)\/p2p-circuit/.exec(address)?.[1] ?? [])
  if (relays.length < addresses.length) return ''
  const names = [...new Set(relays)].map((relay) => shortPeer(relay)).join(' and ')
  return ` - not reachable from outside (NAT), ${names === '' ? 'and by no relay yet: pleach status' : `relayed by ${names}`}`
}

function lent({ cpuMilli, memoryBytes, keepBytes, price, gasPrice }: NonNullable<ReadyFacts['offering']>): string {
  return `${cpu(cpuMilli)}, ${memory(memoryBytes)}, ${size(keepBytes)}, ${prices(price, gasPrice)}`
}

function networkText({ connections }: ReadyFacts, { bootstrap }: PeerOptions): string {
  if (connections > 0) return count(connections, 'connection')
  return bootstrap.length === 0
    ? 'nobody is connected, and no peer to begin from was named: --bootstrap ADDRESS, or pleach join ADDRESS'
    : `nobody is connected: none of the ${count(bootstrap.length, 'peer')} to begin from has answered yet`
}
