/** Quantities as the READMEs write them: `256 KiB`, `4,096`, `10 min`, `64 (4 MiB)`, `20 ‰`, `2^53 − 1`, `120 in 60 s`. */
import assert from 'node:assert/strict'

const units: Readonly<Record<string, number>> = {
  '': 1,
  bytes: 1,
  characters: 1,
  '‰': 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
}

/** A length of leaves may be glossed by its bytes. */
const leafBytes = 65_536

/** All that a cell says the value of `name` is: mostly one, and one more in brackets, which must be the same in leaves. */
export function quantitiesOf(text: string, name: string): number[] {
  const [, main, gloss] = /^([^()]+?)(?: in [^()]+)?(?: \(([^()]+)\))?$/.exec(text) ?? assert.fail(`${name}: ${text}`)
  const value = quantityOf(main!, name)
  return gloss === undefined ? [value] : [value, quantityOf(gloss, name) / leafBytes]
}

function quantityOf(text: string, name: string): number {
  const power = /^2\^(\d+)(?: − (\d+))?$/.exec(text)
  if (power !== null) return Number(2n ** BigInt(power[1]!) - BigInt(power[2] ?? 0))
  const [, digits, unit] = /^([\d,]+) ?(\D*)$/.exec(text) ?? assert.fail(`${name}: ${text} is not a quantity`)
  const factor = units[unit!]
  assert.ok(factor !== undefined, `${name}: ${unit} is not a unit`)
  return Number(digits!.replaceAll(',', '')) * factor
}

/** `2 min + bytes ÷ 16 KiB/s`, in milliseconds, of so many bytes. */
export function rateOf(text: string, bytes: number): number {
  const [, base, rate] = /^(.+) \+ bytes ÷ (.+)\/s$/.exec(text) ?? assert.fail(`${text} is not a rate`)
  return quantityOf(base!, text) + Math.ceil((bytes / quantityOf(rate!, text)) * 1000)
}
