/** Looks how hot the machine is, where that can be read, and says when it has become too hot, or cool again. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Clock } from '../environment.ts'
import { stepHeat } from '../market/heat-policy.ts'

const lookEveryMs = 5_000
const zonesFolder = '/sys/class/thermal'
/** Zones say -274 or thousands where a sensor is broken. */
const [celsiusLeast, celsiusMost] = [-60, 200]

export interface HeatWatchDeps {
  readonly clock: Clock
  readonly celsiusMax: number
  readonly onChange: (isHot: boolean) => void
  readonly celsius?: () => number | null
}

/** The returned function ends it. */
export function watchHeat({ clock, celsiusMax, onChange, celsius = () => hottest(zonesFolder) }: HeatWatchDeps) {
  let isHot = false
  let cancel = (): void => {}
  const look = (): void => {
    const next = stepHeat(isHot, celsius(), celsiusMax)
    if (next !== isHot) onChange(next)
    isHot = next
    cancel = clock.after(lookEveryMs, look)
  }
  look()
  return (): void => cancel()
}

/** The hottest zone of Linux's thermal framework, in degrees; null where there is none, or none that is right. */
export function hottest(folder: string): number | null {
  const zones = listed(folder).filter((name) => name.startsWith('thermal_zone'))
  const all = zones.map((name) => read(join(folder, name, 'temp')) / 1_000)
  const right = all.filter((celsius) => celsius > celsiusLeast && celsius < celsiusMost)
  return right.length === 0 ? null : Math.max(...right)
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function read(path: string): number {
  try {
    return Number(readFileSync(path, 'latin1'))
  } catch {
    return NaN
  }
}
