/** Among whom earnings are split: `NAME:PERMILLE`, a thousand in all. */
import type { RewardShare } from './options.ts'
import { readRewardAddress } from './reward-address.ts'

const wholePermille = 1_000
const sharesMax = 32
const sharePattern = /^([^\p{C}]{1,64}):(\d{1,4})$/u

/** None is lawful: then all is the peer's. Throws a RangeError that says what to write instead. */
export function readRewardShares(texts: readonly string[]): readonly RewardShare[] {
  const shares = texts.map(readShare)
  if (shares.length > sharesMax) throw new RangeError(`more than ${sharesMax} owners`)
  const twice = shares.find(({ owner }, index) => shares.findIndex((other) => other.owner === owner) < index)
  if (twice !== undefined) throw new RangeError(`${twice.owner} has two shares`)
  const sum = shares.reduce((all, { permille }) => all + permille, 0)
  if (shares.length > 0 && sum !== wholePermille)
    throw new RangeError(`the shares come to ${sum} of ${wholePermille}: all of it must be somebody's`)
  return shares
}

function readShare(text: string): RewardShare {
  const found = sharePattern.exec(text)
  const permille = Number(found?.[2] ?? 0)
  if (found === null || permille < 1 || permille > wholePermille)
    throw new RangeError(`${JSON.stringify(text.slice(0, 80))} is no share: write OWNER:PERMILLE, such as alice:600`)
  const owner = found[1]!.trim()
  return { owner: owner.startsWith('0x') ? readRewardAddress(owner) : owner, permille }
}
