/** An account of storage, for a person: who kept what for whom, how much of it both have signed, and what the keeper alone says. */
import type { StorageHoldsView, StorageReceiptView } from '../control/api.ts'
import { safe } from './escape.ts'
import { count, named, shortLease, shortPeer, size } from './format.ts'
import { dateText, exporterLines } from './receipt-lines.ts'
import { table } from './table.ts'

const mibSecondsPerGibHour = 1_024 * 3_600

/** Of MiB, times seconds: `2.500`. */
export function gibHours(mibSeconds: number): string {
  return (mibSeconds / mibSecondsPerGibHour).toFixed(3)
}

type Usage = StorageHoldsView['usage']

/** In the order of the README of the protocol. */
const counted: readonly (readonly [what: string, text: (usage: Usage) => string])[] = [
  ['kept', ({ storeMibS }) => `${gibHours(storeMibS)} GiB hours`],
  ['audits passed', ({ auditsPassed }) => String(auditsPassed)],
  ['put', ({ inBytes }) => size(inBytes)],
  ['got', ({ outBytes }) => size(outBytes)],
  ['carried', ({ relayBytes }) => size(relayBytes)],
]

/** Of `receipt show`. `view` has the other peer's name, when the account is ours. */
export function storageAccountLines(held: StorageHoldsView, view: StorageReceiptView | undefined): string[] {
  const { account, keeper, owner, period, network, lastMs, receipts, bothSigned, usage, claimed } = held
  const who = (peer: string): string => {
    if (view === undefined) return safe(peer)
    return peer === view.other.peer ? named(view.other) : `this peer ${shortPeer(peer)}`
  }
  const columns = ['USED', '>BOTH SIGNED']
  if (bothSigned < receipts) columns.push('>THE KEEPER ALONE')
  const rows = counted.map(([what, text]) => [what, text(usage), text(claimed)].slice(0, columns.length))
  return [
    `account   ${safe(account)}`,
    `kept      ${who(keeper)}`,
    `for       ${who(owner)}`,
    `month     ${safe(period)}, last receipt ${dateText(lastMs)}, network ${safe(network)}`,
    '',
    ...table(columns, rows).map((line) => `  ${line}`),
    '',
    `signed    ${signedText(held)}`,
    'owed      nothing: storage and carrying have no price that both sign',
  ]
}

/** Of `receipt verify`: the same in short. */
export function verifiedStorageLines(held: StorageHoldsView): string[] {
  const { account, keeper, owner, period, network, usage, credential } = held
  const said = counted.map(([what, text]) => `${what} ${text(usage)}`)
  return [
    `verified  storage ${shortLease(account)}  month ${safe(period)}  network ${safe(network)}`,
    `  ${shortPeer(keeper)} kept and carried for ${shortPeer(owner)}: ${said.join(', ')}`,
    `  ${signedText(held)}`,
    ...exporterLines(credential),
  ]
}

function signedText({ receipts, bothSigned, signedMs }: StorageHoldsView): string {
  const signed = `${count(receipts, 'receipt')} by the keeper, ${bothSigned} by both`
  if (bothSigned === receipts) return signed
  return signedMs === null ? `${signed}: the owner has signed nothing` : `${signed}, up to ${dateText(signedMs)}`
}
