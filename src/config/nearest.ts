/** `; did you mean X?` for a name that is not one, or nothing when none is near. One rule for flags, keys and commands. */
import { nearestName } from '../../protocols/execute/nearest-name.ts'

export { nearestName }

export function didYouMean(typed: string, names: readonly string[]): string {
  const nearest = nearestName(typed, names)
  return nearest === undefined ? '' : `; did you mean ${nearest}?`
}
