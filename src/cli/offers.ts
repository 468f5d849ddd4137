/** `pleach offers`: who lends what; of whom, what would fit a job; and why each did not take one. */
import { exits } from '../config/error.ts'
import { parseMicro } from '../config/quantities.ts'
import type { FoundOffersView, OfferView } from '../control/api.ts'
import type { ControlClient } from '../control/client.ts'
import { defineCommand, type Invocation } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { count, cpu, memory, price, prices, shortJob, shortPeer, size, span } from './format.ts'
import { noMatchProblem } from './no-match.ts'
import { Failure, usage } from './problem.ts'
import { table } from './table.ts'
import { verdictLines } from './verdicts.ts'
import { wishFlags, wishOf } from './wish-flags.ts'

type Order = (left: OfferView, right: OfferView) => number

/** Best first. What is not known comes last. */
const orders: Readonly<Record<string, Order>> = {
  price: (left, right) => micro(left) - micro(right),
  cpu: (left, right) => right.cpuMilli - left.cpuMilli,
  memory: (left, right) => right.memoryBytes - left.memoryBytes,
  name: () => 0,
  standing: (left, right) => right.standing - left.standing,
  rtt: (left, right) => (left.rttMs ?? Infinity) - (right.rttMs ?? Infinity) || 0,
}

const flags = {
  ...wishFlags,
  sort: { type: 'text', placeholder: 'BY', about: `${Object.keys(orders).join(', ')} (default price)` },
  known: { type: 'switch', about: 'what the peer knows already; ask nobody' },
  explain: { type: 'text', placeholder: 'JOB', about: 'why each provider did not take this job' },
} as const

export const command = defineCommand({
  usage: 'offers [flags]      offers --explain JOB',
  about: [
    'The providers that answer now, with what they lend and at what price. With flags of pleach run: those that would fit such',
    'a job, with what is left out as run has it, and the price of a processor with all that was asked for on it; exit 4, and',
    'why, when there is none. What a provider only claims is marked with ?.',
    '',
    'With --explain JOB: of each provider that is known, what it lacks for that job, or what it says when it is asked.',
  ],
  flags,
  takes: [],
  async run(invocation) {
    const { flags: given, signal } = invocation
    const order = orderOf(given.sort ?? 'price')
    const wish = wishOf(given)
    const client = await connect(invocation)
    if (given.explain !== undefined) return explain(client, given.explain, invocation)
    if (Object.keys(wish).length === 0) {
      const offers = await client.offers(!given.known, signal)
      return show({ v: 1, offers: offers.toSorted(order) }, invocation)
    }
    const found = await client.findOffers(wish, !given.known, signal)
    if (found.offers.length === 0) throw new Failure(noMatchProblem(found.explanation))
    return show(
      { ...found, offers: given.sort === undefined ? found.offers : found.offers.toSorted(order) },
      invocation,
    )
  },
})

type Shown = Pick<Invocation<typeof flags>, 'terminal' | 'signal'>

async function show(found: Pick<FoundOffersView, 'v' | 'offers'>, { terminal }: Shown): Promise<number> {
  const { offers } = found
  if (terminal.json) await terminal.printJson(found)
  else if (terminal.quiet) await terminal.print(...offers.map(({ peer }) => safe(peer)))
  else if (offers.length > 0) await terminal.print(...offerLines(offers))
  else terminal.note('no provider is known; pleach peers shows whom this peer is connected to')
  return exits.ok
}

async function explain(client: ControlClient, job: string, { terminal, signal }: Shown): Promise<number> {
  const explained = await client.explainJob(job, signal)
  const { providers } = explained
  if (terminal.json) await terminal.printJson(explained)
  else if (terminal.quiet) await terminal.print(...providers.map(({ peer }) => safe(peer)))
  else if (providers.length > 0) {
    terminal.note(`job ${shortJob(explained.job)}: ${count(providers.length, 'provider')} known`)
    await terminal.print(...verdictLines(providers))
  } else terminal.note('no provider is known; pleach peers shows whom this peer is connected to')
  return exits.ok
}

function orderOf(sort: string): Order {
  const order = Object.hasOwn(orders, sort) ? orders[sort] : undefined
  if (order === undefined)
    throw usage(`--sort ${sort} is no order`, `there are ${Object.keys(orders).join(', ')}`, '--sort price')
  return (left, right) => order(left, right) || left.petname.localeCompare(right.petname)
}

function offerLines(offers: readonly OfferView[]): string[] {
  return table(
    ['NAME', 'PEER', '>CPU', '>MEMORY', 'GPU', '>DISK', '>PRICE', 'REGION', '>STANDING', '>RTT', 'RUNS', 'EVIDENCE'],
    offers.map((offer) => [
      `${safe(offer.petname, 40)}${offer.self ? ' (this peer)' : ''}`,
      shortPeer(offer.peer),
      cpu(offer.cpuMilli),
      memory(offer.memoryBytes),
      gpusText(offer),
      size(offer.keepBytes),
      priceText(offer),
      offer.region === '' ? '-' : `${safe(offer.region, 24)}?`,
      offer.standing.toFixed(2),
      offer.rttMs === null ? '-' : `${Math.ceil(offer.rttMs)} ms`,
      runsText(offer),
      safe(offer.evidence, 40),
    ]),
  )
}

/** What was asked for has its gas on the processor already. */
function priceText({ askedPerCpuHour, pricePerCpuHour, pricePerGigaGas }: OfferView): string {
  const asked = safe(askedPerCpuHour, 20)
  return askedPerCpuHour === pricePerCpuHour ? prices(asked, safe(pricePerGigaGas, 20)) : price(asked)
}

/** `2x RTX 4090 24 GiB`; with ? when it is only claimed. */
function gpusText({ gpus }: OfferView): string {
  if (gpus.length === 0) return '-'
  return gpus
    .map(({ count: number, model, memoryBytes, evidence }) => {
      const text = `${number}x ${safe(model, 40)} ${memory(memoryBytes)}`
      return evidence === 'claimed' ? `${text}?` : text
    })
    .join(', ')
}

/** What runs there and in what, and whether it is open. */
function runsText({ runtimes, isolation, openForMs }: OfferView): string {
  if (runtimes.length === 0) return '-'
  const open = openForMs === null ? '' : openForMs === 0 ? ', closed now' : `, for ${span(openForMs)}`
  return `${safe(runtimes.join(' '), 60)} (${safe(isolation, 40)}${open})`
}

function micro({ askedPerCpuHour }: OfferView): number {
  return parseMicro(askedPerCpuHour) ?? Infinity
}
