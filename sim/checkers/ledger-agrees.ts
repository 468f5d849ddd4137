/**
 * Where the books are the ledger of production: what it acknowledged is there and what it refused is not, it takes up again exactly
 * what is not over, it finds no fork in what honest peers signed, and its tables of receipts say what the statements say.
 */
import { equals, toString } from 'uint8arrays'

import { openCountersignature, openReceipt, type Receipt } from '../../protocols/receipt/index.ts'
import { hashOfEnvelope, type Signed, type Statement } from '../../protocols/wire/index.ts'
import type { LeaseTotal, Role } from '../../src/ledger/receipts.ts'
import { LedgerBooks, machineKinds } from '../model/ledger-books.ts'
import type { ModelPeer } from '../model/peer.ts'
import type { World } from '../model/world.ts'
import { tail, type Checker } from './checker.ts'

export const ledgerAgrees: Checker = {
  name: 'ledger-agrees',
  atEnd(world) {
    const wrong: string[] = []
    for (const peer of world.peers) {
      const { disk, number } = peer
      if (!(disk instanceof LedgerBooks)) continue
      for (const what of [
        statementsOf(disk),
        machinesOf(disk),
        forksOf(world, peer, disk),
        receiptsOf(peer, disk),
      ].flat())
        wrong.push(`peer ${number}: ${what}`)
    }
    return wrong
  },
}

function statementsOf(books: LedgerBooks): string[] {
  const wrong: string[] = []
  for (const { machine, statements, outcome } of books.audit.commits) {
    for (const { kind, envelope } of statements)
      if (outcome === 'durable' && !books.holds(envelope))
        wrong.push(`a ${kind} of ${tail(machine)} was acknowledged, and is not there`)
  }
  return wrong
}

/** A state is the last that was acknowledged, or a later one of which nobody heard what became of it. */
function machinesOf(books: LedgerBooks): string[] {
  const { commits, brokenWrites } = books.audit
  const wrong: string[] = []
  const open = new Set<string>()
  const mayBeThere = commits.filter(
    ({ state, outcome }) => state !== null && (outcome !== 'failed' || brokenWrites > 0),
  )
  const saved = Map.groupBy(mayBeThere, ({ machine }) => machine)
  for (const [machine, versions] of saved) {
    const bytes = books.stateBytes(machine)
    const at = bytes === undefined ? -1 : versions.findLastIndex(({ state }) => equals(state!, bytes))
    const durable = versions.findLastIndex(({ outcome }) => outcome === 'durable')
    if (bytes !== undefined && at < 0)
      wrong.push(`${tail(machine)} has a state that it never had, or that was said not to be written`)
    else if (at < durable) wrong.push(`${tail(machine)} is back at state ${at}, and ${durable} was acknowledged`)
    if (versions[at]?.final === false) open.add(machine)
  }
  const listed = new Set(machineKinds.flatMap((kind) => books.machines.open(kind).map(({ id }) => `${kind}/${id}`)))
  for (const machine of open) if (!listed.has(machine)) wrong.push(`${tail(machine)} is not taken up again`)
  for (const machine of listed) if (!open.has(machine)) wrong.push(`${tail(machine)} is over, and is taken up again`)
  return wrong
}

function forksOf(world: World, { vice }: ModelPeer, { audit }: LedgerBooks): string[] {
  const isHonest = ({ by }: Statement): boolean => world.peerOf(by)?.vice === null
  return audit.commits.flatMap(({ fork, statements }) =>
    fork !== undefined && vice === null && statements.every(isHonest) ? [`among honest peers ${fork.message}`] : [],
  )
}

interface Account {
  readonly role: Role
  readonly receipts: Map<number, Signed<Receipt>>
  readonly countersignatures: Map<number, Uint8Array[]>
}

function receiptsOf(peer: ModelPeer, books: LedgerBooks): string[] {
  const wrong: string[] = []
  const accounts = accountsOf(peer, books)
  const totals = new Map(books.receipts.totals().map((total) => [`${total.role} ${total.lease}`, total]))
  for (const [key, account] of accounts) {
    const total = totals.get(key)
    const lease = key.slice(key.indexOf(' ') + 1)
    const problem =
      (total === undefined ? 'has no total' : totalProblem(account, total)) ?? chainProblem(lease, account, books)
    if (problem !== undefined) wrong.push(`the account of lease ${lease.slice(0, 6)} as ${account.role} ${problem}`)
  }
  for (const key of totals.keys()) if (!accounts.has(key)) wrong.push(`has a total of ${key}, and no receipt of it`)
  return wrong
}

/** By role and lease, from the statements alone. */
function accountsOf({ plan: { notary }, name }: ModelPeer, books: LedgerBooks): Map<string, Account> {
  const accounts = new Map<string, Account>()
  const accountOf = (lease: string, role: Role): Account => {
    const key = `${role} ${lease}`
    const known = accounts.get(key)
    if (known !== undefined) return known
    const account: Account = { role, receipts: new Map(), countersignatures: new Map() }
    accounts.set(key, account)
    return account
  }
  for (const { statement } of books.statements) {
    const { kind, by, envelope } = statement
    // Whoever signs a receipt works, whoever countersigns it pays.
    const role = (by === name) === (kind === 'receipt') ? 'provider' : 'requester'
    if (kind === 'receipt') {
      const receipt = openReceipt(notary, envelope)
      accountOf(receipt.body.lease, role).receipts.set(receipt.body.sequence, receipt)
    } else if (kind === 'countersignature') {
      const { lease, sequence } = openCountersignature(notary, envelope).body
      const { countersignatures } = accountOf(lease, role)
      countersignatures.set(sequence, [...(countersignatures.get(sequence) ?? []), envelope])
    }
  }
  return accounts
}

function totalProblem({ receipts, countersignatures }: Account, total: LeaseTotal): string | undefined {
  const all = [...receipts.values()].map(({ body }) => body)
  const signed = all.filter(({ sequence }) => countersignatures.has(sequence))
  const expected = {
    receipts: all.length,
    bothSigned: signed.length,
    final: all.some(({ final }) => final),
    amountMicro: Math.max(0, ...signed.map(({ amountMicro }) => amountMicro)),
  }
  for (const [what, value] of Object.entries(expected)) {
    const said = total[what as keyof typeof expected]
    if (said !== value) return `says ${what} ${said}, and the statements say ${value}`
  }
  return undefined
}

function chainProblem(lease: string, account: Account, books: LedgerBooks): string | undefined {
  let previous = lease
  for (const { sequence, envelope, countersignature } of books.receipts.chain(lease, account.role)) {
    const receipt = account.receipts.get(sequence)
    if (receipt === undefined || !equals(receipt.envelope, envelope)) return `has another receipt ${sequence}`
    if (toString(receipt.body.previous, 'hex') !== previous) return `is broken before receipt ${sequence}`
    previous = toString(hashOfEnvelope(envelope), 'hex')
    const given = account.countersignatures.get(sequence)
    if ((countersignature === null) !== (given === undefined)) return `has half a receipt ${sequence}`
    if (countersignature !== null && !given!.some((one) => equals(one, countersignature)))
      return `has a countersignature of receipt ${sequence} that nobody gave`
  }
  return undefined
}
