/**
 * How connections are encrypted. Every host has Noise, so that any two have one in common; TLS 1.3 stands beside it. Whoever dials
 * proposes in its own order, and the other side takes the first that it has. Which comes first, and the figures behind it: README.md.
 */
import { noise } from '@libp2p/noise'
import { tls } from '@libp2p/tls'
import type { Libp2pOptions } from 'libp2p'

export type EncrypterName = 'noise' | 'tls'

/** What libp2p takes in its list of encrypters. */
export type EncrypterFactory = NonNullable<Libp2pOptions['connectionEncrypters']>[number]

export const encryptersInOrder: readonly EncrypterName[] = ['tls', 'noise']

const known: Readonly<Record<EncrypterName, { readonly protocol: string; readonly make: () => EncrypterFactory }>> = {
  noise: { protocol: '/noise', make: () => noise() },
  tls: { protocol: '/tls/1.0.0', make: () => tls() },
}

export function encryptersOf(names: readonly EncrypterName[]): EncrypterFactory[] {
  return names.map((name) => known[name].make())
}

/** `none` is a transport's that encrypts by itself or, in a simulator, not at all. */
export function encrypterNamed(protocol: string | undefined): EncrypterName | 'none' {
  const found = (Object.keys(known) as EncrypterName[]).find((name) => known[name].protocol === protocol)
  return found ?? 'none'
}
