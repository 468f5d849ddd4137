/** Where vouchers for what is earned are made out to. */
import { checksummed, type Address } from '../../protocols/voucher/address.ts'

const addressPattern = /^0x[0-9a-fA-F]{40}$/

/**
 * The address with its checksum. One in small letters alone, or in large ones, has none to be wrong (EIP-55). Throws a RangeError that
 * says what to write instead.
 */
export function readRewardAddress(text: string): Address {
  if (!addressPattern.test(text))
    throw new RangeError(`${JSON.stringify(text.slice(0, 60))} is no address: write 0x and 40 hexadecimal digits`)
  const digits = text.slice(2)
  const right = checksummed(text)
  const hasNone = digits === digits.toLowerCase() || digits === digits.toUpperCase()
  if (!hasNone && text !== right)
    throw new RangeError(`the checksum of ${text} is wrong: a letter of it is; if not, write ${right}`)
  return right
}

/** `CHAIN:ADDRESS`: the contract that redeems vouchers, and the number of its chain. */
export function readVoucherContract(text: string): { readonly chainId: number; readonly contract: Address } {
  const found = /^(\d{1,15}):(0x.+)$/.exec(text)
  if (found === null)
    throw new RangeError(`${JSON.stringify(text.slice(0, 60))} is no contract: write CHAIN:ADDRESS, such as 1:0x…`)
  return { chainId: Number(found[1]), contract: readRewardAddress(found[2]!) }
}
