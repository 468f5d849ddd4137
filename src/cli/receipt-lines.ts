/** The account of a lease, for a person: who did what for whom, what was used and what it comes to, who signed. */
import { formatMicro } from '../config/quantities.ts'
import type { LeaseAccountView, BillLineView, HoldsView, ReceiptView } from '../control/api.ts'
import { safe } from './escape.ts'
import { count, gas, memory, named, price, seconds, shortJob, shortLease, shortPeer, size, span } from './format.ts'
import { table } from './table.ts'

const textCharsMax = 200
/** What a Date can hold. */
const dateMsMax = 8.64e15

/** Of `receipt show`. `view` has the other peer's name, when the receipts are ours. */
export function accountLines(
  account: LeaseAccountView,
  bill: readonly BillLineView[],
  view: ReceiptView | undefined,
): string[] {
  const { provider, requester, agreedMs, lastMs, unit } = account
  const who = (peer: string): string => {
    if (view === undefined) return safe(peer)
    return peer === view.other.peer ? named(view.other) : `this peer ${shortPeer(peer)}`
  }
  const course = lastMs === null ? 'no receipt yet' : `last receipt ${span(lastMs - agreedMs)} later`
  const rows = bill.map((line) => [
    line.of,
    quantityOf(line, account.cpuMilli),
    line.priceMicro === 0 ? 'free' : priceText(line),
    line.priceMicro === 0 ? '' : formatMicro(line.amountMicro),
  ])
  const ofProcessors = ['cpu', seconds(account.usage.cpuMs), 'not billed', '']
  return [
    `lease     ${safe(account.lease)}`,
    `job       ${safe(account.job)}  place ${account.slot}, epoch ${account.epoch}, network ${safe(account.network)}`,
    `worked    ${who(provider)}`,
    `for       ${who(requester)}`,
    `agreed    ${dateText(agreedMs)}, ${course}`,
    '',
    ...table(
      ['USED', '>QUANTITY', 'PRICE', `>${safe(unit.toUpperCase(), 20)}`],
      rows.toSpliced(1, 0, ofProcessors),
    ).map((line) => `  ${line}`),
    '',
    `owed      ${owedText(account)}`,
    `signed    ${signedText(account)}`,
    `result    ${resultText(account)}`,
    ...disputeLines(account),
  ]
}

/** Of `receipt verify`: the same in short. */
export function verifiedLines(account: HoldsView): string[] {
  const { lease, job, provider, requester, final, network, credential } = account
  return [
    `verified  lease ${shortLease(lease)}  job ${shortJob(job)}  ${final ? 'final' : 'not final'}  network ${safe(network)}`,
    `  ${shortPeer(provider)} worked for ${shortPeer(requester)}: ${owedText(account)}`,
    `  ${signedText(account)}`,
    `  result ${resultText(account)}`,
    ...disputeLines(account).map((line) => `  ${line}`),
    ...exporterLines(credential),
  ]
}

export function exporterLines(credential: HoldsView['credential']): string[] {
  if (credential === null) return []
  return [`  exported by ${safe(credential.issuer, textCharsMax)}, ${safe(credential.created, 40)}`]
}

/** Per what a price is, by what is billed. */
const per: Readonly<Record<BillLineView['of'], string>> = {
  wall: 'cpu-h',
  gas: 'Ggas',
  memory: 'GiB-h',
  gpu: 'gpu-h',
  in: 'GiB',
  out: 'GiB',
  storage: 'GiB-h',
}

function priceText({ of, priceMicro }: BillLineView): string {
  const amount = formatMicro(priceMicro)
  return of === 'wall' ? price(amount) : `${amount}/${per[of]}`
}

function quantityOf({ of, quantity }: BillLineView, cpuMilli: number): string {
  switch (of) {
    case 'wall':
      return `${seconds(quantity)} x ${cpuMilli / 1_000} cpu`
    case 'gas':
      return gas(quantity)
    case 'memory':
    case 'storage':
      return `${memory(quantity * 2 ** 20)} s`
    case 'gpu':
      return seconds(quantity)
    case 'in':
    case 'out':
      return size(quantity)
    default:
      return of satisfies never
  }
}

function owedText({ payable, claimed, unit, ceiling }: LeaseAccountView): string {
  const owed = `${safe(payable)} ${safe(unit)}, of ${safe(ceiling)} at most`
  return claimed.amount === payable ? owed : `${owed}; the provider claims ${safe(claimed.amount)}`
}

function signedText({ receipts, bothSigned, final }: LeaseAccountView): string {
  const over = receipts === 0 ? '' : final ? '; the last is final' : '; not over yet'
  return `${count(receipts, 'receipt')} by the provider, ${bothSigned} by both${over}`
}

function resultText({ result, ended }: LeaseAccountView): string {
  const how = ended === null ? '' : `  ${safe(ended.reason)}${ended.exitCode === null ? '' : ` ${ended.exitCode}`}`
  return `${result === '' ? 'not named' : safe(result)}${how}`
}

function disputeLines({ disputes }: LeaseAccountView): string[] {
  return disputes.map(({ sequence, code, facts, resolved }) => {
    const said = Object.entries(facts).map(([name, value]) => `${name} ${value}`)
    const state = resolved ? 'signed since' : 'not signed since'
    return `dispute   receipt ${sequence}: ${safe([code, ...said].join(' '), textCharsMax)}  (${state})`
  })
}

export function dateText(ms: number): string {
  return ms > dateMsMax ? `${ms} ms` : `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
