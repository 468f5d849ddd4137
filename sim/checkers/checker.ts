/** An invariant: what must hold of a world once everything is over. Each is a file of its own. */
import type { World } from '../model/world.ts'

export interface Violation {
  readonly checker: string
  readonly what: string
}

export type Checker = (world: World) => string[]
