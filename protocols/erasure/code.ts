/** Names of codes: how many shards are enough, and how many may be lost. */
import { shardsMax } from './matrix.ts'

export interface Code {
  /** Shards that are enough. */
  readonly k: number
  /** Shards that may be lost. */
  readonly m: number
}

/** `ship` for what a job sends and gets, `keep` for what must last, `deep` for what must outlast most keepers. */
export const presets: Readonly<Record<string, Code>> = {
  small: { k: 4, m: 2 },
  ship: { k: 10, m: 4 },
  keep: { k: 8, m: 8 },
  deep: { k: 16, m: 16 },
}

/** `"4+2"` or the name of a preset; undefined when it is neither. */
export function parseCode(text: string): Code | undefined {
  const preset = Object.hasOwn(presets, text) ? presets[text] : undefined
  if (preset !== undefined) return preset
  const match = /^(\d{1,3})\+(\d{1,3})$/.exec(text)
  if (match === null) return undefined
  const [k, m] = [Number(match[1]), Number(match[2])]
  return k >= 1 && k + m <= shardsMax ? { k, m } : undefined
}

export function formatCode({ k, m }: Code): string {
  return `${k}+${m}`
}
