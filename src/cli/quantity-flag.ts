/** The value of a flag that is a quantity; a wrong one is told with the flag's name. */
import { usage } from './problem.ts'

export function quantityFlag(
  flag: string,
  text: string | undefined,
  parse: (text: string) => number,
): number | undefined {
  if (text === undefined) return undefined
  try {
    return parse(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw usage(`${flag} ${text.slice(0, 60)} cannot be used`, error.message, 'pleach COMMAND --help')
  }
}
