/** An amount split among owners, to the last micro-unit. Pure. */
export interface Share {
  readonly owner: string
  readonly permille: number
}

export interface SharePart {
  readonly owner: string
  readonly micro: bigint
}

/**
 * By the largest remainder (Hamilton's method): each has the whole part of its share, and the micro-units that are left go one each to
 * those who lost most by rounding; among equals to who was named first. So the parts add up to the amount, and the same amount is
 * always split alike. `shares` come to a thousand; none: nobody has a part.
 */
export function split(micro: bigint, shares: readonly Share[]): readonly SharePart[] {
  if (shares.length === 0) return []
  const whole = shares.map(({ permille }) => (micro * BigInt(permille)) / 1_000n)
  const lost = shares.map(({ permille }, index) => ({ index, micro: (micro * BigInt(permille)) % 1_000n }))
  let left = micro - whole.reduce((sum, part) => sum + part, 0n)
  lost.sort((one, other) => (one.micro === other.micro ? one.index - other.index : one.micro > other.micro ? -1 : 1))
  for (const { index } of lost) {
    if (left === 0n) break
    whole[index] = whole[index]! + 1n
    left--
  }
  return shares.map(({ owner }, index) => ({ owner, micro: whole[index]! }))
}
