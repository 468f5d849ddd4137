/** Counters over virtual time, with what happened marked on the time axis. */
import type { Timeline } from './record.ts'
import { thinned } from './samples.ts'
import {
  badge,
  drawnPointsMax,
  drawnSeriesMax,
  escape,
  linear,
  lineStyle,
  measure,
  number,
  px,
  svg,
  swatch,
  tickOf,
  table,
  words,
} from './svg.ts'

const width = 720
const plot = { left: 58, right: width - 30, top: 18, bottom: 244 }
/** Kinds of events that are drawn, a lane each. */
const lanesMax = 10
const laneHeight = 17
const marksMax = 200
const badgesApart = 17

export function drawTimeline(figure: Timeline, id: string): string {
  const rows = figure.series.map(({ name, points }, index) => {
    const most = points.reduce((top, [, value]) => Math.max(top, value), -Infinity)
    return [
      words(name, swatch(index)),
      number(points[0]?.[1], figure.unit),
      number(points.length === 0 ? null : most, figure.unit),
      number(points.at(-1)?.[1], figure.unit),
    ]
  })
  const values = table(['', 'first', 'most', 'last'], rows, `${figure.title}: the same as numbers`)
  if (figure.series.every(({ points }) => points.length === 0))
    return `<p class="none">Nothing was measured.</p>${values}`
  return `<div class="scroll">${drawing(figure, id)}</div>${values}`
}

function drawing(figure: Timeline, id: string): string {
  const series = figure.series.slice(0, drawnSeriesMax)
  const values = series.flatMap(({ points }) => points.map(([, value]) => value))
  const endMs = Math.max(
    1,
    ...series.map(({ points }) => points.at(-1)?.[0] ?? 0),
    figure.events.reduce((last, { atMs, untilMs }) => Math.max(last, untilMs ?? atMs), 0),
  )
  const top = values.reduce((most, value) => Math.max(most, value), 0)
  const low = values.reduce((least, value) => Math.min(least, value), 0)
  const lanes = lanesOf(figure)
  const axisY = plot.bottom + lanes.length * laneHeight
  const height = axisY + 44
  const x = linear(0, endMs / 1_000, plot.left, plot.right, 8)
  const atMs = (ms: number): number => x.at(ms / 1_000)
  const y = linear(low, top === low ? low + 1 : top, plot.bottom, plot.top + 8, 5, true)

  const grid = y.ticks.map(
    (tick) =>
      `<path class="grid" d="M${plot.left} ${px(y.at(tick))}H${plot.right}"/>` +
      `<text class="tick end" x="${plot.left - 7}" y="${px(y.at(tick) + 4)}">${escape(tickOf(tick, figure.unit))}</text>`,
  )
  const ticks = x.ticks.map(
    (tick) =>
      `<path class="grid" d="M${px(x.at(tick))} ${plot.top}V${axisY + 3}"/>` +
      `<text class="tick mid" x="${px(x.at(tick))}" y="${axisY + 17}">${escape(measure(tick, ''))}</text>`,
  )
  const axis = `<text class="axis mid" x="${(plot.left + plot.right) / 2}" y="${height - 6}">seconds since the start</text>`
  const unit = ['', 'ms', 'bytes', 'share'].includes(figure.unit)
    ? ''
    : `<text class="axis end" x="${plot.left - 7}" y="${plot.top - 3}">${escape(figure.unit, 20)}</text>`
  const marks = lanes.map(({ what, events }, lane) => {
    const laneY = plot.bottom + lane * laneHeight + laneHeight / 2 + 4
    const drawn = thinned(events, marksMax).map((event) => {
      const from = atMs(event.atMs)
      const title = `<title>${escape(
        `${what} at ${(event.atMs / 1_000).toFixed(3)} s${
          event.untilMs === null ? '' : `, until ${(event.untilMs / 1_000).toFixed(3)} s`
        }`,
      )}</title>`
      if (event.untilMs === null)
        return `<path class="mark" d="M${px(from)} ${px(laneY - 5)}l4.5 8h-9z">${title}</path>`
      return `<rect class="mark" x="${px(from)}" y="${px(laneY - 3)}" width="${px(Math.max(2, atMs(event.untilMs) - from))}" height="6">${title}</rect>`
    })
    return `<text class="lane end" x="${plot.left - 7}" y="${px(laneY + 4)}">${escape(what, 12)}</text><path class="grid" d="M${plot.left} ${px(laneY)}H${plot.right}"/>${drawn.join('')}`
  })
  const lines = series.map(({ name, points }, index) => {
    const steps = drawnPoints(points)
    if (steps.length === 0) return ''
    const path = steps.map(([ms, value], at) => `${at === 0 ? 'M' : 'L'}${px(atMs(ms))} ${px(y.at(value))}`).join('')
    return `<path ${lineStyle(index)} d="${path}"><title>${escape(`${index + 1} ${name}`)}</title></path>`
  })
  return svg(
    id,
    width,
    height,
    figure.title,
    description(figure),
    [...grid, ...ticks, axis, unit, ...marks, ...lines, ...badges(series, atMs, y.at)].join(''),
  )
}

/** Numbers at the ends of the lines, pushed apart where they end at the same height. */
function badges(series: Timeline['series'], x: (ms: number) => number, y: (value: number) => number): string[] {
  const ends = series
    .flatMap(({ points }, index) => {
      const last = points.at(-1)
      return last === undefined ? [] : [{ index, x: x(last[0]) + 12, y: y(last[1]) }]
    })
    .toSorted((left, right) => right.y - left.y)
  let freeY = Infinity
  return ends.map((end) => {
    const placed = Math.min(end.y, freeY)
    freeY = placed - badgesApart
    return badge(end.index, Math.min(end.x, width - 10), placed)
  })
}

/** Of a stretch of many points its least and its greatest stay: a peak is what one looks for. */
function drawnPoints(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  if (points.length <= drawnPointsMax) return [...points]
  const stretches = drawnPointsMax / 2
  const kept: (readonly [number, number])[] = []
  for (let stretch = 0; stretch < stretches; stretch++) {
    const part = points.slice(
      Math.floor((stretch * points.length) / stretches),
      Math.floor(((stretch + 1) * points.length) / stretches),
    )
    const least = part.reduce((one, other) => (other[1] < one[1] ? other : one))
    const most = part.reduce((one, other) => (other[1] > one[1] ? other : one))
    kept.push(...(least[0] <= most[0] ? [least, most] : [most, least]))
  }
  return kept
}

interface Lane {
  readonly what: string
  readonly events: Timeline['events']
}

function lanesOf({ events }: Timeline): Lane[] {
  const lanes = Map.groupBy(events, ({ what }) => what)
  return [...lanes].slice(0, lanesMax).map(([what, ofKind]) => ({ what, events: ofKind }))
}

function description(figure: Timeline): string {
  const lines = figure.series.map(({ name, points }) =>
    points.length === 0
      ? `${name}: nothing measured`
      : `${name}: from ${measure(points[0]![1], figure.unit)} to ${measure(points.at(-1)![1], figure.unit)}`,
  )
  const marks = lanesOf(figure).map(({ what, events }) => `${events.length} times ${what}`)
  return [...lines, ...marks].join('; ')
}
