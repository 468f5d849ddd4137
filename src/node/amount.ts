/** Amounts as an owner writes them. */
import { parseMicro, type Micro } from '../../protocols/wire/index.ts'
import { ControlError } from '../control/api.ts'

/** Throws a ControlError BAD_SPEC. */
export function amountOf(text: string, flag: string): Micro {
  const micro = parseMicro(text)
  if (micro !== undefined) return micro
  throw new ControlError({
    code: 'BAD_SPEC',
    what: `${text} is not an amount`,
    why: 'an amount is a decimal number of at most six places',
    cure: `${flag} 1.5`,
    exit: 2,
  })
}
