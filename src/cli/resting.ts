/** Whether a peer works for others at the moment, in words. */
import type { RestingView } from '../control/api.ts'
import { span } from './format.ts'
import type { Terminal } from './terminal.ts'

const whys: Readonly<Record<RestingView['because'], string>> = {
  PAUSED: 'paused',
  IN_DOUBT: 'another peer may have the key of this one',
  OWNER_ACTIVE: 'you use this machine',
  TOO_HOT: 'this machine is too hot',
  DISK_LOW: 'the disk is nearly full',
}

/** `no`, or why nothing is worked for others, for how long, and what becomes of what runs. */
export function restingText(resting: RestingView | null): string {
  if (resting === null) return 'no'
  const { because, leftMs, handsBackInMs } = resting
  const how = because === 'PAUSED' ? (leftMs === null ? ' until pleach resume' : ` for ${span(leftMs)} more`) : ''
  const held = handsBackInMs === null ? '' : `; what runs is held, and handed back in ${span(handsBackInMs)}`
  return `${whys[because]}${how}${held}`
}

export async function tellResting(terminal: Terminal, resting: RestingView | null): Promise<void> {
  if (terminal.json) return terminal.printJson({ v: 1, resting })
  await terminal.print(resting === null ? 'work for others is taken' : `resting  ${restingText(resting)}`)
}
