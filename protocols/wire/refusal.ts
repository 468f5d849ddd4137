/** Refusals to and from their protobuf. Bounded here: a peer's explanation is stored and shown. */
import { create } from '@bufbuild/protobuf'

import { checkedInteger } from './amount.ts'
import { Fault, type Facts, type Refusal } from './fault.ts'
import { checkedText } from './message.ts'
import { FactSchema, RefusalSchema, type Refusal as WireRefusal } from './wire_pb.ts'

export const refusalFactsMax = 16
export const refusalTextCharsMax = 200
const codePattern = /^[A-Z][A-Z0-9_]{1,47}$/

export function refusal(code: string, facts: Facts = {}): Refusal {
  return { code, facts }
}

export function encodeRefusal(refusal: Refusal): WireRefusal {
  return create(RefusalSchema, {
    code: refusal.code,
    facts: Object.entries(refusal.facts).map(([name, value]) => create(FactSchema, { name, value: encodeFact(value) })),
  })
}

export function decodeRefusal(wire: WireRefusal | undefined): Refusal {
  if (wire === undefined || !codePattern.test(wire.code)) throw new Fault('FIELD_INVALID', 'a refusal needs a code')
  if (wire.facts.length > refusalFactsMax) {
    throw new Fault('FIELD_INVALID', 'a refusal has too many facts', { facts: wire.facts.length, refusalFactsMax })
  }
  const facts: Record<string, string | number | boolean> = {}
  for (const { name, value } of wire.facts) {
    checkedText(name, 'fact name', refusalTextCharsMax)
    if (value.case === 'text') facts[name] = checkedText(value.value, name, refusalTextCharsMax)
    else if (value.case === 'flag') facts[name] = value.value
    else if (value.case === 'number') facts[name] = checkedSigned(value.value, name)
  }
  return { code: wire.code, facts }
}

function checkedSigned(value: bigint, name: string): number {
  return value < 0n ? -checkedInteger(-value, name) : checkedInteger(value, name)
}

function encodeFact(value: string | number | boolean) {
  switch (typeof value) {
    case 'string':
      return { case: 'text' as const, value: value.slice(0, refusalTextCharsMax) }
    case 'boolean':
      return { case: 'flag' as const, value }
    default:
      return { case: 'number' as const, value: BigInt(Math.round(value)) }
  }
}
