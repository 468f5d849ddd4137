/** `pleach status`: one screen about the peer. */
import { exits } from '../config/error.ts'
import type { StatusView } from '../control/api.ts'
import { defineCommand } from './command.ts'
import { connect } from './connect.ts'
import { safe } from './escape.ts'
import { restingText } from './resting.ts'
import { count, cpu, memory, price, prices, shortPeer, size, span } from './format.ts'

export const command = defineCommand({
  usage: 'status [flags]',
  about: ['How the peer is doing: its network, what it lends, what it did and earned.'],
  flags: {},
  takes: [],
  async run(invocation) {
    const { terminal } = invocation
    const client = await connect(invocation)
    const status = await client.status()
    if (terminal.json) await terminal.printJson(status)
    else if (terminal.quiet) await terminal.print(safe(status.peer))
    else await terminal.print(...statusLines(status))
    return exits.ok
  },
})

function statusLines(status: StatusView): string[] {
  const { market, jobs, receipts, keeping, cached, warnings, offering } = status
  const warned = warnings.length === 0 ? '' : `            ${count(warnings.length, 'warning')}`
  return [
    `${safe(status.petname, 40)}  up ${span(status.upMs)}  ${shortPeer(status.peer)}  network ${safe(status.network)}` +
      `  profile ${safe(status.profile)}  pid ${status.pid}${warned}`,
    ...warnings.map((warning) => `! ${safe(warning, 300)}`),
    `network  ${count(status.connections, 'connection')}, mesh ${status.meshDegree}, ${count(status.recordsKnown, 'record')} known`,
    ...status.addresses.map((address) => `  ${safe(address, 200)}`),
    ...relayLines(status.relay),
    offering === null
      ? 'offering nothing   (pleach up --offer lends this machine)'
      : `offering ${cpu(offering.cpuMilli)}, ${memory(offering.memoryBytes)}, ${size(offering.keepBytes)}, ` +
        `${prices(safe(offering.pricePerCpuHour, 20), safe(offering.pricePerGigaGas, 20))}, ${safe(offering.isolation)}`,
    ...(offering === null && status.resting === null ? [] : [`resting  ${restingText(status.resting)}`]),
    `market   ${count(market.bidsSeen, 'bid')} seen - ${market.answered} answered - ${market.won} won`,
    ...reasons('not answered', market.notAnswered),
    ...reasons('lost', market.lost, market.dearerPercent),
    `jobs     ${jobs.done} done ${jobs.failed} failed ${jobs.running} running      earned ${safe(receipts.earned)}` +
      ` spent ${safe(receipts.spent)} ${safe(receipts.unit)} (${count(receipts.bothSigned, 'receipt')} signed by both)`,
    ...(market.hint === null
      ? []
      : [
          `hint     at ${price(safe(market.hint.price, 20))} you would have won about ${market.hint.wouldHaveWon} more (from the bids of the last 24 h)`,
        ]),
    `keeping  ${count(keeping.shards, 'shard')}, ${size(keeping.bytes)} of ${size(keeping.quotaBytes)}`,
    ...(cached.quotaBytes === 0
      ? []
      : [`cached   ${count(cached.shards, 'shard')}, ${size(cached.bytes)} of ${size(cached.quotaBytes)}`]),
  ]
}

function relayLines({ through, carries }: StatusView['relay']): string[] {
  const names = through.map(
    ({ petname, rttMs }) => `${safe(petname, 40)}${rttMs === null ? '' : ` (${Math.round(rttMs)} ms away)`}`,
  )
  return [
    ...(names.length === 0 ? [] : [`relayed  through ${names.join(' and ')}`]),
    ...(carries === null
      ? []
      : [
          `relay    for ${count(carries.peers, 'peer')}, ${count(carries.connections, 'connection')} now, ${size(carries.bytes)} carried since it started`,
        ]),
  ]
}

/** Most frequent first. */
function reasons(
  what: string,
  counts: Readonly<Record<string, number>>,
  dearerPercent: number | null = null,
): string[] {
  const rows = Object.entries(counts).toSorted(([, left], [, right]) => right - left)
  const all = rows.reduce((sum, [, number]) => sum + number, 0)
  const median = (reason: string): string =>
    reason === 'dearer than winner' && dearerPercent !== null ? ` (median ${dearerPercent} % above)` : ''
  const why = rows.map(([reason, number]) => `${safe(reason, 40)} ${number}${median(reason)}`).join(', ')
  return all === 0 ? [] : [`  ${what} ${all}: ${why}`]
}
