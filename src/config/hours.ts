/** Hours of the week as people write them: `mon-fri 18:00-07:00`, `sat,sun`, `22:00-06:00`. */

/** From Monday's first minute. */
export interface WeekHours {
  readonly fromMinute: number
  readonly toMinute: number
}

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const dayMinutes = 24 * 60
const weekMinutes = 7 * dayMinutes
const hoursMax = 16

/** In the time in which they were written. Throws a RangeError that says what to write instead. */
export function parseHours(texts: readonly string[]): WeekHours[] {
  const hours = texts.flatMap((text) => parseOne(text.trim().toLowerCase()))
  if (hours.length > hoursMax)
    throw new RangeError(`that makes ${hours.length} spans; there may be ${hoursMax}: join days, as in mon-fri`)
  return hours
}

function parseOne(text: string): WeekHours[] {
  const found =
    /^(?:([a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*)\s*)?(?:(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2}))?$/.exec(text)
  if (found === null || text === '') throw notHours(text)
  const [, names, fromHour, fromMinute, toHour, toMinute] = found
  const whole = fromHour === undefined
  const from = whole ? 0 : clock(fromHour, fromMinute!, text)
  const to = whole ? dayMinutes : clock(toHour!, toMinute!, text)
  const length = (to - from + dayMinutes) % dayMinutes || dayMinutes
  return daysOf(names, text).map((day) => {
    const start = mod(day * dayMinutes + from, weekMinutes)
    return { fromMinute: start, toMinute: mod(start + length, weekMinutes) }
  })
}

/** The same hours in UTC. `aheadMinutes`: how far their own time is ahead of it. */
export function inUtc(hours: readonly WeekHours[], aheadMinutes: number): WeekHours[] {
  return hours.map(({ fromMinute, toMinute }) => ({
    fromMinute: mod(fromMinute - aheadMinutes, weekMinutes),
    toMinute: mod(toMinute - aheadMinutes, weekMinutes),
  }))
}

function daysOf(names: string | undefined, text: string): number[] {
  if (names === undefined) return days.map((_, day) => day)
  const chosen = new Set<number>()
  for (const part of names.split(',')) {
    const [first, last] = part.split('-').map((name) => days.indexOf(name))
    if (first === undefined || first < 0 || (last !== undefined && last < 0)) throw notHours(text)
    for (let day = first; ; day = (day + 1) % 7) {
      chosen.add(day)
      if (day === (last ?? first)) break
    }
  }
  return [...chosen].toSorted((left, right) => left - right)
}

function clock(hour: string, minute: string, text: string): number {
  const minutes = Number(hour) * 60 + Number(minute)
  if (Number(minute) > 59 || minutes > dayMinutes) throw notHours(text)
  return minutes
}

function mod(value: number, by: number): number {
  return ((value % by) + by) % by
}

function notHours(text: string): RangeError {
  return new RangeError(
    `${JSON.stringify(text.slice(0, 40))} is no time of the week: write mon-fri 18:00-07:00, or sat,sun`,
  )
}
