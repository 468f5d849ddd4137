/**
 * Capabilities as text. `pleach:read:<cid>:<key>`: whoever has it can find, verify and read the object. `pleach:verify:<cid>`:
 * can find and verify it, and repair it, without reading.
 */
import { fromString, toString } from 'uint8arrays'

import { checkedCid } from '../wire/index.ts'

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
    const object = checkedCid((match[1] ?? match[2])!, 'object')
    return match[3] === undefined
      ? { can: 'verify', object }
      : { can: 'read', object, key: fromString(match[3], 'base64url') }
  } catch {
    // Not a CID; or a last character with bits that belong to no byte, a second spelling of the same key.
    return undefined
  }
}
