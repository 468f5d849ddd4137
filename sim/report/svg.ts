/** What the figures are drawn with: escaped text, scales, ticks, and ways to tell series apart other than by colour. */

const unsafe: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }
/** Controls that XML does not know, and what turns the direction of writing. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const unprintable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g
const textCharsMax = 1_000

/** Text of anybody, for the page: in an element or in an attribute with double quotes. */
export function escape(text: string, charsMax = textCharsMax): string {
  const cut = text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text
  return cut
    .toWellFormed()
    .replaceAll(unprintable, '\u{fffd}')
    .replaceAll(/[&<>"']/g, (character) => unsafe[character]!)
}

/** A number as a person says it: three digits that count, thousands apart. */
export function told(value: number): string {
  const size = Math.abs(value)
  if (value === 0) return '0'
  if (size >= 1e15 || size < 1e-6) return value.toExponential(2)
  if (size >= 1_000 || Number.isInteger(value)) return grouped(Math.round(value))
  if (size >= 100) return value.toFixed(0)
  return String(Number(value.toPrecision(3)))
}

function grouped(whole: number): string {
  // A thin space that no line is broken at.
  return String(whole).replaceAll(/\B(?=(\d{3})+$)/g, '\u202f')
}

/** With its unit, and a bigger one where that is easier to read. */
export function measure(value: number | null | undefined, unit: string): string {
  if (value === undefined || value === null) return 'unknown'
  if (unit === 'share') return `${Number((value * 100).toFixed(1))} %`
  if (unit === 'ms' && Math.abs(value) >= 1_000) return `${told(value / 1_000)} s`
  if (unit === 'bytes') {
    for (const [size, name] of byteUnits) if (Math.abs(value) >= size) return `${told(value / size)} ${name}`
  }
  return unit === '' ? told(value) : `${told(value)} ${unit}`
}

const byteUnits = [
  [2 ** 30, 'GiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
] as const

/** Beside an axis: units that have no bigger ones stand at the axis, once. */
export function tickOf(value: number, unit: string): string {
  return unit === 'ms' || unit === 'bytes' || unit === 'share' ? measure(value, unit) : told(value)
}

/** Of an SVG: one decimal is a tenth of a pixel. */
export function px(value: number): string {
  return String(Math.round(value * 10) / 10)
}

export interface Scale {
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
  readonly isLog: boolean
}

/** Round steps from `min` to `max`, drawn from `from` to `to`; the last step may be beyond `max` when `isRound`. */
export function linear(min: number, max: number, from: number, to: number, wanted = 5, isRound = false): Scale {
  const wide = max > min ? max - min : 1
  const rough = wide / wanted
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10)
  const span = isRound ? Math.ceil((min + wide) / step) * step - min : wide
  const ticks: number[] = []
  for (let index = Math.ceil(min / step); index * step <= min + span * 1.0001; index++)
    ticks.push(Number((index * step).toPrecision(12)))
  return { at: (value) => from + ((value - min) / span) * (to - from), ticks, isLog: false }
}

/** Powers of ten, and their doubles and halves where there are few. Only for values above zero. */
export function logarithmic(min: number, max: number, from: number, to: number): Scale {
  const [low, high] = [Math.log10(min), Math.log10(Math.max(max, min * 1.001))]
  const factors = high - low > 4 ? [1] : high - low > 2 ? [1, 3] : [1, 2, 5]
  const ticks: number[] = []
  for (let power = Math.floor(low); power <= high; power++)
    for (const factor of factors) {
      const value = Number((factor * 10 ** power).toPrecision(6))
      if (value >= min * 0.999 && value <= max * 1.001) ticks.push(value)
    }
  return { at: (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from), ticks, isLog: true }
}

/** Series that are drawn; those beyond stand in the table only. */
export const drawnSeriesMax = 8
/** Points that one drawn series has. */
export const drawnPointsMax = 400
const dashes = ['', '7 3', '2 3', '9 3 2 3', '14 4', '4 4', '1 5', '12 3 2 3 2 3']

/** Colour, dash and number of a series: each alone tells it from the others. */
export function lineStyle(index: number): string {
  const dash = dashes[index % dashes.length]!
  return `class="line s${(index % drawnSeriesMax) + 1}"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`
}

/** The number of a series on its line. */
export function badge(index: number, x: number, y: number): string {
  return (
    `<circle class="badge s${(index % drawnSeriesMax) + 1}" cx="${px(x)}" cy="${px(y)}" r="7.5"/>` +
    `<text class="badge-text" x="${px(x)}" y="${px(y + 3.7)}">${index + 1}</text>`
  )
}

/** In the table, before the name of a series: its number and its line. */
export function swatch(index: number): string {
  if (index >= drawnSeriesMax) return ''
  return (
    `<svg class="swatch" width="52" height="17" viewBox="0 0 52 17" aria-hidden="true">` +
    `<path ${lineStyle(index)} d="M18 8.5H52"/>${badge(index, 8.5, 8.5)}</svg>`
  )
}

/** The whole drawing, with the title and the words that stand for it where it is not seen. */
export function svg(
  id: string,
  width: number,
  height: number,
  title: string,
  description: string,
  body: string,
): string {
  return (
    `<svg class="plot" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-t ${id}-d" ` +
    `xmlns="http://www.w3.org/2000/svg"><title id="${id}-t">${escape(title)}</title>` +
    `<desc id="${id}-d">${escape(description)}</desc>${body}</svg>`
  )
}

/** A table whose cells are HTML already; numbers stand right. */
export function table(columns: readonly string[], rows: readonly (readonly Cell[])[], caption: string): string {
  const head = columns
    .map(
      (column, at) => `<th scope="col"${rows[0]?.[at]?.isNumber === true ? ' class="n"' : ''}>${escape(column)}</th>`,
    )
    .join('')
  const body = rows
    .map((cells) => {
      const [first, ...rest] = cells
      const start = first === undefined ? '' : `<th scope="row">${first.html}</th>`
      return `<tr>${start}${rest.map(({ html, isNumber }) => `<td${isNumber ? ' class="n"' : ''}>${html}</td>`).join('')}</tr>`
    })
    .join('\n')
  return `<div class="scroll"><table><caption>${escape(caption)}</caption><thead><tr>${head}</tr></thead><tbody>\n${body}</tbody></table></div>`
}

export interface Cell {
  readonly html: string
  readonly isNumber: boolean
}

/** Longer text of a cell is cut. */
const cellCharsMax = 300

export function words(text: string, before = ''): Cell {
  return { html: before + escape(text, cellCharsMax), isNumber: false }
}

export function number(value: number | null | undefined, unit = ''): Cell {
  return { html: escape(measure(value, unit)), isNumber: true }
}
