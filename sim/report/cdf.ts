/** Latencies as cumulative shares: how many of all were done within so long. */
import type { Cdf } from './record.ts'
import { quantile, thinned } from './samples.ts'
import {
  badge,
  drawnPointsMax,
  drawnSeriesMax,
  escape,
  linear,
  lineStyle,
  logarithmic,
  measure,
  number,
  px,
  svg,
  swatch,
  table,
  words,
} from './svg.ts'

const [width, height] = [720, 300]
const plot = { left: 52, right: width - 16, top: 14, bottom: height - 44 }
/** The longest is so many times the shortest: then powers of ten are easier to read. */
const logFrom = 30
/** A few stragglers do not press everything else against the axis: beyond this share the scale ends, and the table goes on. */
const drawnShare = 0.999

export function drawCdf(figure: Cdf, id: string): string {
  const drawn = figure.series.slice(0, drawnSeriesMax).filter(({ samples }) => samples.length > 0)
  const rows = figure.series.map(({ name, count, samples }, index) => [
    words(name, swatch(index)),
    number(count),
    ...[0, 0.5, 0.9, 0.99, 1].map((share) => number(quantile(samples, share), figure.unit)),
  ])
  const columns = ['', 'count', 'least', 'median', '90 %', '99 %', 'most']
  const values = table(columns, rows, `${figure.title}: the same as numbers`)
  if (drawn.length === 0) return `<p class="none">Nothing was measured.</p>${values}`
  return `<div class="scroll">${drawing(figure, id)}</div>${values}`
}

function drawing(figure: Cdf, id: string): string {
  const all = figure.series.slice(0, drawnSeriesMax).flatMap(({ samples }) => samples)
  const low = all.reduce((least, value) => Math.min(least, value), Infinity)
  const high = Math.max(
    ...figure.series.slice(0, drawnSeriesMax).map(({ samples }) => quantile(samples, drawnShare) ?? -Infinity),
  )
  const positive = all.reduce((least, value) => (value > 0 ? Math.min(least, value) : least), Infinity)
  const isLog = low >= 0 && high / positive >= logFrom
  const x = isLog
    ? logarithmic(positive, high, plot.left, plot.right)
    : linear(Math.min(0, low), high, plot.left, plot.right)
  const y = linear(0, 1, plot.bottom, plot.top)
  const clamp = (value: number): number => x.at(isLog ? Math.max(value, positive) : value)

  const grid = [0, 0.25, 0.5, 0.75, 1]
    .map(
      (share) =>
        `<path class="grid" d="M${plot.left} ${px(y.at(share))}H${plot.right}"/>` +
        `<text class="tick end" x="${plot.left - 7}" y="${px(y.at(share) + 4)}">${share * 100} %</text>`,
    )
    .join('')
  const ticks = x.ticks
    .map(
      (tick) =>
        `<path class="grid" d="M${px(x.at(tick))} ${plot.top}V${plot.bottom}"/>` +
        `<text class="tick mid" x="${px(x.at(tick))}" y="${plot.bottom + 17}">${escape(measure(tick, figure.unit))}</text>`,
    )
    .join('')
  const axis = `<text class="axis mid" x="${(plot.left + plot.right) / 2}" y="${height - 6}">${escape(
    `${figure.unit}${isLog ? ', logarithmic' : ''}`,
  )}</text>`

  const lines = figure.series.slice(0, drawnSeriesMax).map(({ name, samples }, index) => {
    if (samples.length === 0) return ''
    const steps = thinned(
      samples.map((value, at) => [value, (at + 1) / samples.length] as const).filter(([value]) => value <= high),
      drawnPointsMax,
    )
    const path = steps.map(([value, share]) => `L${px(clamp(value))} ${px(y.at(share))}`).join('')
    const median = quantile(samples, 0.5)!
    return (
      `<path ${lineStyle(index)} d="M${px(clamp(samples[0]!))} ${px(y.at(0))}${path}">` +
      `<title>${escape(`${index + 1} ${name}: median ${measure(median, figure.unit)}`)}</title></path>`
    )
  })
  // At different heights, so that numbers of lines that lie close do not cover each other.
  const badges = figure.series.slice(0, drawnSeriesMax).map(({ samples }, index, { length }) => {
    if (samples.length === 0) return ''
    const share = length === 1 ? 0.5 : 0.3 + (0.5 * index) / (length - 1)
    return badge(index, clamp(Math.min(high, quantile(samples, share)!)), y.at(share))
  })
  return svg(
    id,
    width,
    height,
    figure.title,
    description(figure),
    grid + ticks + axis + lines.join('') + badges.join(''),
  )
}

function description({ series, unit }: Cdf): string {
  return series
    .map(({ name, count, samples }) =>
      samples.length === 0
        ? `${name}: nothing measured`
        : `${name}: median ${measure(quantile(samples, 0.5), unit)}, 99 of 100 within ${measure(quantile(samples, 0.99), unit)}, ${count} measured`,
    )
    .join('; ')
}
