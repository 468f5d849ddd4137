/**
 * The page of a run: one file that asks for nothing, runs no script, and can be mailed, printed and read aloud. What it promised
 * comes first, in words; then each figure with how to read it and the same as numbers; then what is needed to run it again.
 */
import { drawBars } from './bars.ts'
import { drawCdf } from './cdf.ts'
import { isGood, type Figure, type RunRecord, type Table } from './record.ts'
import { style } from './style.ts'
import { escape, measure, number, table, words } from './svg.ts'
import { drawTimeline } from './timeline.ts'
import { drawTopology } from './topology.ts'

/** A page longer than this is no page; figures that would make it so are named instead. */
export const pageBytesMax = 4 * 1024 * 1024
/** For the names of figures that are left out. */
const namesBytesMax = 256 * 1024
const rowsShownMax = 200
const configCharsMax = 64 * 1024
/** Assertions that want the same and got it are told as one from so many on. */
const groupedMin = 4

export function page(record: RunRecord): string {
  const { figures } = record
  const links = figures.map(({ title }, index) => `<a href="#f${index}">${escape(title)}</a>`).join(' ')
  const before = `${head(record)}${figures.length > 1 ? `<nav aria-label="Figures">${links}</nav>` : ''}\n`
  const after = `\n${stubs(record)}\n${again(record)}\n</main>\n</body>\n</html>\n`
  let left = pageBytesMax - namesBytesMax - Buffer.byteLength(before) - Buffer.byteLength(after)
  const sections = figures.map((figure, index) => {
    const section = sectionOf(figure, `f${index}`)
    const bytes = Buffer.byteLength(section)
    if (bytes > left)
      return `<section id="f${index}"><h2>${escape(figure.title)}</h2><p class="none">Left out, because the page would be too long; record.json has it.</p></section>`
    left -= bytes
    return section
  })
  return `${before}${sections.join('\n')}${after}`
}

function head(record: RunRecord): string {
  const { scenario } = record
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
<title>${escape(`${isGood(record) ? 'pass' : 'FAIL'} - ${scenario.name}, seed ${record.seed}`)}</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>
<main>
<header>
<h1>${escape(scenario.name)}</h1>
<p class="about">${escape(scenario.about)}</p>
<p class="facts">${escape(factsOf(record))}</p>
</header>
${verdict(record)}
${numbers(record)}
${assertions(record)}
`
}

function factsOf({ tier, boot, seed, lives, wallMs }: RunRecord): string {
  const what =
    tier === 'model'
      ? 'Model: peers on a virtual clock'
      : `Live: real peers${boot === null ? '' : boot === 'fast' ? ', connected at once' : ', who had to find each other'}`
  const seeds = lives === 1 ? `seed ${seed}` : `${lives} lives, seeds ${seed} to ${seed + lives - 1}`
  return `${what} · ${seeds} · took ${measure(wallMs, 'ms')}`
}

function verdict({ valid, invalidBecause, assertions }: RunRecord): string {
  const broken = assertions.filter(({ holds }) => !holds).length
  const all = assertions.length
  const because =
    all === 0
      ? 'Nothing was asserted.'
      : broken === 0
        ? `All ${all} assertions hold.`
        : `${broken} of ${all} assertions ${broken === 1 ? 'does' : 'do'} not hold.`
  if (!valid)
    return `<p class="verdict bad" role="status"><strong>Invalid.</strong> What it says of time is not to be believed: ${escape(invalidBecause ?? '')}. ${because}</p>`
  return `<p class="verdict${broken === 0 ? '' : ' bad'}" role="status"><strong>${broken === 0 ? 'Pass.' : 'Fail.'}</strong> ${because}</p>`
}

function numbers({ numbers: all }: RunRecord): string {
  if (all.length === 0) return ''
  const [unknown, known] = [all.filter(({ value }) => value === null), all.filter(({ value }) => value !== null)]
  const items = known.map(
    ({ title, unit, value }) => `<li><b>${escape(measure(value, unit))}</b><span>${escape(title)}</span></li>`,
  )
  const others = unknown.map(({ title }) => escape(title)).join(' · ')
  return `<ul class="numbers">${items.join('')}</ul>${others === '' ? '' : `<p class="none">Not known: ${others}</p>`}`
}

function assertions({ assertions: all }: RunRecord): string {
  if (all.length === 0) return ''
  // What does not hold is what one came for; of what holds, many that say the same are one row.
  const groups = Map.groupBy(all, ({ name, wanted, got, holds }) => JSON.stringify([wanted, got, holds ? true : name]))
  const rows = [...groups.values()]
    .flatMap((group) => (group.length < groupedMin ? group.map((one) => [one]) : [group]))
    .toSorted(([left], [right]) => Number(left!.holds) - Number(right!.holds))
    .map((group) => {
      const { wanted, got, holds } = group[0]!
      const passed = group.length === 1 ? 'pass' : `all ${group.length} pass`
      const mark = holds ? `<span class="ok">✓ ${passed}</span>` : '<span class="no">✗ FAIL</span>'
      const names = group.map(({ name }) => `<span class="name">${escape(name)}</span>`).join(' · ')
      return [{ html: names, isNumber: false }, words(wanted), words(got), { html: mark, isNumber: false }]
    })
  return `<section class="promises"><h2>What it promises</h2>${table(['', 'wanted', 'got', 'verdict'], rows, 'Assertions')}</section>`
}

function sectionOf(figure: Figure, id: string): string {
  return `<section id="${id}"><figure aria-labelledby="${id}-h"><h2 id="${id}-h">${escape(figure.title)}</h2>
<p class="read"><b>How to read it:</b> ${escape(figure.read)}</p>
${draw(figure, `${id}g`)}</figure></section>`
}

function draw(figure: Figure, id: string): string {
  switch (figure.kind) {
    case 'cdf':
      return drawCdf(figure, id)
    case 'timeline':
      return drawTimeline(figure, id)
    case 'bars':
      return drawBars(figure, id)
    case 'topology':
      return drawTopology(figure, id)
    case 'table':
      return drawTable(figure)
  }
}

function drawTable({ title, unit, columns, rows }: Table): string {
  const cells = rows
    .slice(0, rowsShownMax)
    .map((row) => row.map((value) => (typeof value === 'string' ? words(value, '') : number(value, unit))))
  const more =
    rows.length > rowsShownMax
      ? `<p class="none">${rows.length - rowsShownMax} more rows stand in record.json.</p>`
      : ''
  return rows.length === 0 ? '<p class="none">There was none of it.</p>' : table(columns, cells, title) + more
}

function stubs({ stubs: all }: RunRecord): string {
  if (all.length === 0) return ''
  const items = all.map((stub) => `<li>${escape(stub)}</li>`).join('')
  return `<section><h2>What was not real</h2><ul class="plain">${items}</ul></section>`
}

function again({ command, seed, versions, machine, scenario }: RunRecord): string {
  const facts: readonly (readonly [string, string])[] = [
    ['seed', String(seed)],
    ['pleach', versions.pleach],
    ['node', versions.node],
    ['libp2p', versions.libp2p ?? 'not part of this run'],
    ['machine', `${machine.cores} cores, ${measure(machine.memoryBytes, 'bytes')} of memory`],
  ]
  const list = facts.map(([name, value]) => `<dt>${name}</dt><dd>${escape(value)}</dd>`).join('')
  const config = escape(JSON.stringify(scenario.config, null, 2), configCharsMax)
  return `<section><h2>Run it again</h2><pre class="wrap">${escape(command)}</pre><dl>${list}</dl></section>
<section><h2>Configuration</h2><pre>${config}</pre></section>`
}
