/** Amounts side by side, the greatest first. */
import type { Bars } from './record.ts'
import { escape, measure, number, px, svg, table, words } from './svg.ts'

const width = 720
const [rowHeight, labelWidth, valueWidth] = [26, 210, 96]
const labelCharsMax = 32
const barsMax = 30

export function drawBars(figure: Bars, id: string): string {
  const bars = figure.bars.toSorted((left, right) => right.value - left.value)
  const total = bars.reduce((sum, { value }) => sum + value, 0)
  const share = (value: number) => (figure.isWhole ? [number(total === 0 ? null : value / total, 'share')] : [])
  const rows = bars.map(({ name, value }) => [words(name), number(value, figure.unit), ...share(value)])
  const values = table(
    ['', figure.unit === '' ? 'count' : figure.unit, ...(figure.isWhole ? ['of all'] : [])],
    rows,
    `${figure.title}: the same as numbers`,
  )
  if (total === 0) return `<p class="none">There was none of it.</p>${values}`
  const drawn = bars.slice(0, barsMax)
  const most = drawn[0]!.value
  const room = width - labelWidth - valueWidth
  const body = drawn.map(({ name, value }, index) => {
    const y = index * rowHeight
    const length = Math.max(value > 0 ? 1.5 : 0, (room * value) / most)
    return (
      `<text class="label end" x="${labelWidth - 9}" y="${y + 18}">${escape(name, labelCharsMax)}</text>` +
      `<rect class="bar" x="${labelWidth}" y="${y + 4}" width="${px(length)}" height="${rowHeight - 8}" rx="2">` +
      `<title>${escape(`${name}: ${measure(value, figure.unit)}`)}</title></rect>` +
      `<text class="label" x="${px(labelWidth + length + 7)}" y="${y + 18}">${escape(measure(value, figure.unit))}</text>`
    )
  })
  const description = drawn.map(({ name, value }) => `${name}: ${measure(value, figure.unit)}`).join('; ')
  return `<div class="scroll">${svg(id, width, drawn.length * rowHeight + 4, figure.title, description, body.join(''))}</div>${values}`
}
