/**
 * Capabilities as text. `pleach:read:<cid>:<key>`: whoever has it can find, verify and read the object. `pleach:verify:<cid>`:
 * can find and verify it, and repair it, without reading.
 */
import { fromString, toString } from 'uint8arrays'

import { checkedCid, Fault } from '../wire/index.ts'
import { keyBytes } from './segment.ts'

export type ObjectCapability =
  | { readonly can: 'read'; readonly object: string; readonly key: Uint8Array }
  | { readonly can: 'verify'; readonly object: string }

export function formatObjectCapability(capability: ObjectCapability): string {
  return capability.can === 'read'
    ? `pleach:read:${capability.object}:${toString(capability.key, 'base64url')}`
    : `pleach:verify:${capability.object}`
}

/** Undefined when the text is not a capability. */
export function parseObjectCapability(text: string): ObjectCapability | undefined {
  const match = /^pleach:(?:verify:([a-z0-9]+)|read:([a-z0-9]+):([A-Za-z0-9_-]{43}))$/.exec(text)
  if (match === null) return undefined
  try {
    if (match[1] !== undefined) return { can: 'verify', object: checkedCid(match[1], 'object') }
    const key = fromString(match[3]!, 'base64url')
    return key.byteLength === keyBytes ? { can: 'read', object: checkedCid(match[2]!, 'object'), key } : undefined
  } catch (error) {
    if (error instanceof Fault) return undefined
    throw error
  }
}
