/** Who is tied to whom, before and after: a circle, by region and role, in the same order in both so that they can be compared. */
import type { Graph, Topology } from './record.ts'
import { quantile, thinned } from './samples.ts'
import { escape, number, px, svg, table, words } from './svg.ts'

const size = 350
/** Room for the names of regions. */
const margin = 48
const [centre, radius] = [size / 2, size / 2 - margin]
const nodesDrawnMax = 600
const edgesDrawnMax = 1_500
/** Edges bend towards the centre, those between distant peers more: what is tied to a neighbour stays near the circle. */
const [bendMin, bendMax] = [0.12, 0.6]

export function drawTopology(figure: Topology, id: string): string {
  const roles = [
    ...new Set([...(figure.before?.nodes ?? []), ...figure.after.nodes].map(({ role }) => role)),
  ].toSorted()
  const graphs = [
    ...(figure.before === null ? [] : [{ name: 'before', graph: figure.before }]),
    { name: figure.before === null ? 'at the end' : 'after', graph: figure.after },
  ]
  const drawings = graphs.map(
    ({ name, graph }) =>
      `<figure class="graph">${drawing(figure, graph, roles, `${id}-${name.replaceAll(' ', '-')}`, name)}<figcaption>${name}${cutOf(graph)}</figcaption></figure>`,
  )
  const legend = roles
    .map(
      (role, index) =>
        `<li><svg class="swatch" width="18" height="16" viewBox="-9 -8 18 16" aria-hidden="true">${shape(index, 0, 0, 5, true)}</svg>${escape(role)}</li>`,
    )
    .join('')
  const dead = `<li><svg class="swatch" width="18" height="16" viewBox="-9 -8 18 16" aria-hidden="true">${shape(0, 0, 0, 5, false)}</svg>hollow and crossed out: not there</li>`
  const rows = graphs.map(({ name, graph }) => {
    const degrees = degreesOf(graph).toSorted((left, right) => left - right)
    return [
      words(name),
      number(graph.nodes.length),
      number(graph.nodes.filter(({ alive }) => alive).length),
      number(graph.edges.length),
      ...[0, 0.5, 1].map((share) => number(quantile(degrees, share))),
    ]
  })
  const columns = ['', 'peers', 'there', 'ties', 'fewest of one', 'median', 'most']
  const byRole = table(
    ['role', ...graphs.map(({ name }) => `${name}: there / all`)],
    roles.map((role) => [
      words(role),
      ...graphs.map(({ graph }) => {
        const ofRole = graph.nodes.filter((node) => node.role === role)
        return { html: `${ofRole.filter(({ alive }) => alive).length} / ${ofRole.length}`, isNumber: true }
      }),
    ]),
    `${figure.title}: by role`,
  )
  return `<div class="graphs">${drawings.join('')}</div><ul class="legend">${legend}${dead}</ul>${table(columns, rows, `${figure.title}: the same as numbers`)}${byRole}`
}

function drawing(figure: Topology, graph: Graph, roles: readonly string[], id: string, when: string): string {
  const order = graph.nodes
    .map((node, index) => ({ node, index }))
    .toSorted(
      (left, right) =>
        compare(left.node.region ?? '', right.node.region ?? '') ||
        compare(left.node.role, right.node.role) ||
        left.index - right.index,
    )
  const drawn = mostTied(graph, order)
  const places = new Map<number, readonly [number, number]>()
  drawn.forEach(({ index }, at) => {
    const angle = (2 * Math.PI * at) / drawn.length - Math.PI / 2
    places.set(index, [centre + radius * Math.cos(angle), centre + radius * Math.sin(angle)])
  })
  const among = graph.edges.filter(([from, to]) => places.has(from) && places.has(to))
  const edges = thinned(among, edgesDrawnMax).map(([from, to]) => {
    const [[fromX, fromY], [toX, toY]] = [places.get(from)!, places.get(to)!]
    const bend = bendMin + ((bendMax - bendMin) * Math.hypot(fromX - toX, fromY - toY)) / (2 * radius)
    const bent = (one: number, other: number): number => centre + ((one + other) / 2 - centre) * (1 - bend)
    return `M${px(fromX)} ${px(fromY)}Q${px(bent(fromX, toX))} ${px(bent(fromY, toY))} ${px(toX)} ${px(toY)}`
  })
  const dot = drawn.length > 200 ? 2 : drawn.length > 60 ? 3.5 : 5.5
  const nodes = drawn.map(({ node, index }) => {
    const [x, y] = places.get(index)!
    const what = `${node.id}, ${node.role}${node.region === null ? '' : `, ${node.region}`}${node.alive ? '' : ', not there'}`
    return `<g>${shape(roles.indexOf(node.role), x, y, dot, node.alive)}<title>${escape(what, 300)}</title></g>`
  })
  const opacity = edges.length > 300 ? 0.25 : edges.length > 80 ? 0.5 : 0.8
  const description = `${graph.nodes.length} peers and ${graph.edges.length} ties${cutOf(graph)}`
  return svg(
    id,
    size,
    size,
    `${figure.title}, ${when}`,
    description,
    `<path class="edge" opacity="${opacity}" d="${edges.join('')}"/>${regionNames(drawn.map(({ node }) => node.region))}${nodes.join('')}`,
  )
}

/** Outside of the circle, at the middle of each region. */
function regionNames(regions: readonly (string | null)[]): string {
  const spans = new Map<string, { from: number; to: number }>()
  regions.forEach((region, at) => {
    if (region === null) return
    const span = spans.get(region)
    if (span === undefined) spans.set(region, { from: at, to: at })
    else span.to = at
  })
  return [...spans]
    .slice(0, 24)
    .map(([region, { from, to }]) => {
      const angle = (Math.PI * (from + to)) / regions.length - Math.PI / 2
      const [x, y] = [centre + (radius + 15) * Math.cos(angle), centre + (radius + 15) * Math.sin(angle)]
      const side = Math.cos(angle) > 0.3 ? '' : Math.cos(angle) < -0.3 ? 'end' : 'mid'
      return `<text class="tick ${side}" x="${px(x)}" y="${px(y + 4)}">${escape(region, 9)}</text>`
    })
    .join('')
}

/** A shape for each role; hollow and crossed out when it is not there. */
function shape(role: number, x: number, y: number, r: number, alive: boolean): string {
  const style = `class="node s${(role % 8) + 1}${alive ? '' : ' dead'}"`
  const [left, right, up, down] = [px(x - r), px(x + r), px(y - r), px(y + r)]
  const outline = [
    `<circle ${style} cx="${px(x)}" cy="${px(y)}" r="${px(r)}"/>`,
    `<path ${style} d="M${left} ${up}H${right}V${down}H${left}z"/>`,
    `<path ${style} d="M${px(x)} ${up}L${right} ${down}H${left}z"/>`,
    `<path ${style} d="M${px(x)} ${up}L${right} ${px(y)}L${px(x)} ${down}L${left} ${px(y)}z"/>`,
  ][role % 4]!
  return alive
    ? outline
    : `${outline}<path class="cross" d="M${left} ${up}L${right} ${down}M${right} ${up}L${left} ${down}"/>`
}

function cutOf({ nodes, edges }: Graph): string {
  if (nodes.length > nodesDrawnMax)
    return `; the ${nodesDrawnMax} peers with the most ties are drawn, of ${nodes.length}`
  return edges.length > edgesDrawnMax ? `; ${edgesDrawnMax} of ${edges.length} ties are drawn` : ''
}

/** Of more than can be drawn those with the most ties, in the order that they had. */
function mostTied<Node extends { readonly index: number }>(graph: Graph, order: readonly Node[]): readonly Node[] {
  if (order.length <= nodesDrawnMax) return order
  const degrees = degreesOf(graph)
  const kept = new Set(
    order.toSorted((left, right) => degrees[right.index]! - degrees[left.index]!).slice(0, nodesDrawnMax),
  )
  return order.filter((node) => kept.has(node))
}

function degreesOf({ nodes, edges }: Graph): number[] {
  const degrees = nodes.map(() => 0)
  for (const ends of edges) for (const end of ends) degrees[end]!++
  return degrees
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
