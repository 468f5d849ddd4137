/** `pleach offers`: who lends what. */
import { exits } from '../config/error.ts'
import { parseBytes, parseCpuMilli, parseMicro } from '../config/quantities.ts'
import type { OfferView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { cpu, memory, price, shortPeer, size } from './format.ts'
import { usage } from './problem.ts'
import { quantityFlag } from './quantity-flag.ts'
import { table } from './table.ts'

/** Best first. */
const orders: Readonly<Record<string, (left: OfferView, right: OfferView) => number>> = {
  price: (left, right) => micro(left) - micro(right) || left.petname.localeCompare(right.petname),
  cpu: (left, right) => right.cpuMilli - left.cpuMilli,
  memory: (left, right) => right.memoryBytes - left.memoryBytes,
  name: (left, right) => left.petname.localeCompare(right.petname),
}

export const command = defineCommand({
  usage: 'offers [flags]',
  about: ['The providers that answer now, with what they lend and at what price.'],
  flags: {
    cpu: { type: 'text', placeholder: 'N', about: 'at least this many processors' },
    memory: { type: 'text', placeholder: 'SIZE', about: 'at least this much memory, such as 4Gi' },
    sort: { type: 'text', placeholder: 'BY', about: `${Object.keys(orders).join(', ')} (default price)` },
    known: { type: 'switch', about: 'what the peer knows already; ask nobody' },
  },
  takes: [],
  async run(invocation) {
    const { terminal, flags, signal } = invocation
    const cpuMilli = quantityFlag('--cpu', flags.cpu, parseCpuMilli) ?? 0
    const memoryBytes = quantityFlag('--memory', flags.memory, parseBytes) ?? 0
    const sort = flags.sort ?? 'price'
    const order = Object.hasOwn(orders, sort) ? orders[sort] : undefined
    if (order === undefined) {
      throw usage(`--sort ${sort} is no order`, `there are ${Object.keys(orders).join(', ')}`, '--sort price')
    }
    const client = await connect(invocation)
    const all = await client.offers(!flags.known, signal)
    const offers = all.filter((offer) => offer.cpuMilli >= cpuMilli && offer.memoryBytes >= memoryBytes).toSorted(order)
    if (terminal.json) await terminal.printJson({ v: 1, offers })
    else if (terminal.quiet) await terminal.print(...offers.map(({ peer }) => safe(peer)))
    else if (offers.length > 0) await terminal.print(...offerLines(offers))
    else if (all.length > 0) terminal.note(`${all.length} known, and none has that much`)
    else terminal.note('no provider is known; pleach peers shows whom this peer is connected to')
    return exits.ok
  },
})

function offerLines(offers: readonly OfferView[]): string[] {
  return table(
    ['NAME', 'PEER', '>CPU', '>MEMORY', '>DISK', '>PRICE', 'RUNS', 'ISOLATION', 'EVIDENCE'],
    offers.map((offer) => [
      `${safe(offer.petname, 40)}${offer.self ? ' (this peer)' : ''}`,
      shortPeer(offer.peer),
      cpu(offer.cpuMilli),
      memory(offer.memoryBytes),
      size(offer.keepBytes),
      price(safe(offer.pricePerCpuHour, 20)),
      safe(offer.runtimes.join(' '), 60),
      safe(offer.isolation, 40),
      safe(offer.evidence, 40),
    ]),
  )
}

function micro({ pricePerCpuHour }: OfferView): number {
  return parseMicro(pricePerCpuHour) ?? Infinity
}
