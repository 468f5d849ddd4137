/**
 * A requester and a provider exchange receipts and are killed with SIGKILL, the one, the other or both, at instants of chance; each
 * time they are started again and go on. In the end both ledgers are held against each other and against what either side was told.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { toString } from 'uint8arrays'

import { asker, worker } from '../../bench/ledger/trade.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { sha256 } from '../../protocols/wire/index.ts'
import { silentLog } from '../../src/environment.ts'
import { Store } from '../../src/ledger/store.ts'
import { SeededRandom } from '../../sim/random.ts'
import { still, watchOver } from '../fixtures/receipt-ledgers.ts'
import { Trader, type Told } from './trader.ts'

export interface KillReport {
  readonly kills: number
  /** Receipts and countersignatures that the other side was told of. */
  readonly acknowledged: number
  /** Of these, not in the ledger of who told. */
  readonly lost: number
  /** Numbers of a lease that were given to two different receipts, or countersigned in two ways that count twice. */
  readonly doubled: number
  readonly chainBreaks: number
  /** Receipts that both ledgers have as signed by both. */
  readonly signedByBoth: number
  /** What was wrong, in words. */
  readonly bad: readonly string[]
}

const leases = 8
const intervalMs = 20
/** Between two kills so many words are exchanged, at most; then comes a moment more. */
const wordsMax = 24
const momentMsMax = 30

export async function killTraders(kills: number, seed: number, say: (line: string) => void): Promise<KillReport> {
  const random = SeededRandom.of(seed, 'kills')
  const folder = await mkdtemp(join(tmpdir(), 'pleach-crash-'))
  const port = await freePort()
  const shared = { port, leases, intervalMs, startMs: Date.now() }
  const folders = { provider: join(folder, 'provider'), requester: join(folder, 'requester') }
  await Promise.all(Object.values(folders).map(async (path) => mkdir(path)))
  const provider = new Trader({ ...shared, role: 'provider', folder: folders.provider })
  const requester = new Trader({ ...shared, role: 'requester', folder: folders.requester })
  const both = [provider, requester]
  const words = (): number => provider.told.length + requester.told.length
  const bad: string[] = []
  let killed = 0
  try {
    for (const trader of both) trader.start()
    while (killed < kills && bad.length === 0) {
      const goal = words() + random.between(1, wordsMax)
      const observer = random.pick(both)
      if (!(await observer.until(() => provider.isUp && requester.isUp && words() >= goal))) {
        bad.push(`nothing was exchanged any more after ${killed} kills`)
        break
      }
      await sleep(random.float() * momentMsMax)
      const victims = random.chance(0.2) ? both : [random.pick(both)]
      await Promise.all(victims.map(async (victim) => victim.kill()))
      killed += victims.length
      for (const victim of victims) victim.start()
      if (Math.floor(killed / 20) !== Math.floor((killed - victims.length) / 20))
        say(`${killed} kills, ${words()} words acknowledged`)
      bad.push(...provider.bad, ...requester.bad)
    }
    await Promise.all(both.map(async (trader) => trader.until(() => trader.isUp)))
    await Promise.all(both.map(async (trader) => trader.stop()))
    bad.push(...[...provider.bad, ...requester.bad].filter((line) => !bad.includes(line)))
    const books = {
      provider: await readBook(join(folders.provider, 'ledger.db'), worker),
      requester: await readBook(join(folders.requester, 'ledger.db'), asker),
    }
    return { kills: killed, ...compare(books, { byProvider: requester.told, byRequester: provider.told }, bad) }
  } finally {
    await Promise.all(both.map(async (trader) => trader.kill()))
    await rm(folder, { recursive: true, force: true })
  }
}

interface BookRow {
  readonly hash: string
  readonly previous: string
  readonly countersignature: string | null
}

export interface Book {
  /** Rows by lease and number. */
  readonly leases: ReadonlyMap<string, ReadonlyMap<number, BookRow>>
  /** Hashes of all statements that are written down, receipts and countersignatures among them. */
  readonly statements: ReadonlySet<string>
  /** Receipts that were signed under a number that has another. */
  readonly doubled: number
  /** What the chain of the peer says. */
  readonly findings: readonly string[]
}

/** All of a ledger, checked as a scrub does. */
export async function readBook(path: string, notary: Notary): Promise<Book> {
  const store = Store.open(path, still, silentLog)
  try {
    const { checkpoints, damages, doubts, scrub } = watchOver(store, path, notary)
    checkpoints.begin()
    await scrub.round(new AbortController().signal)
    const found = new Map<string, Map<number, BookRow>>()
    const hex = (bytes: unknown): string => toString(bytes as Uint8Array, 'hex')
    for (const row of store.read((db) => db.prepare('SELECT * FROM receipts ORDER BY lease, sequence').all())) {
      const lease = row['lease'] as string
      if (!found.has(lease)) found.set(lease, new Map())
      const countersignature = row['countersignature'] as Uint8Array | null
      found.get(lease)!.set(row['sequence'] as number, {
        hash: hex(row['hash']),
        previous: hex(row['previous']),
        countersignature: countersignature === null ? null : hex(sha256(countersignature)),
      })
    }
    const statements = store.read((db) => db.prepare('SELECT hash FROM statements').all()).map(({ hash }) => hex(hash))
    const halves = [...found.values()].flatMap((rows) => [...rows.values()])
    const [entries] = store.read((db) => db.prepare("SELECT count(*) AS count FROM chain WHERE kind = 'receipt'").all())
    return {
      leases: found,
      statements: new Set([
        ...statements,
        ...halves.flatMap(({ hash, countersignature }) => [
          hash,
          ...(countersignature === null ? [] : [countersignature]),
        ]),
      ]),
      doubled: Number(entries!['count']) - halves.length,
      findings: [
        ...damages.list().map(({ place, what }) => `${place}: ${what}`),
        ...doubts.list().map(({ code }) => code),
      ],
    }
  } finally {
    store.close()
  }
}

function compare(
  { provider, requester }: { readonly provider: Book; readonly requester: Book },
  told: { readonly byProvider: readonly Told[]; readonly byRequester: readonly Told[] },
  bad: readonly string[],
): Omit<KillReport, 'kills'> {
  const lost = [
    ...told.byProvider.filter(({ hash }) => !provider.statements.has(hash)),
    ...told.byRequester.filter(({ hash }) => !requester.statements.has(hash)),
  ]
  const wrong = [...bad, ...provider.findings, ...requester.findings]
  let signedByBoth = 0
  for (const book of [provider, requester]) {
    for (const [lease, rows] of book.leases) {
      let previous = lease
      for (let sequence = 1; sequence <= rows.size; sequence++) {
        const row = rows.get(sequence)
        if (row?.previous !== previous) wrong.push(`receipt ${sequence} of ${lease} does not follow`)
        previous = row?.hash ?? ''
      }
    }
  }
  for (const [lease, rows] of provider.leases) {
    const theirs = requester.leases.get(lease)
    for (const [sequence, row] of rows) {
      const their = theirs?.get(sequence)
      if (their !== undefined && their.hash !== row.hash)
        wrong.push(`receipt ${sequence} of ${lease} is another at each`)
      if (row.countersignature === null) continue
      if (their?.countersignature === row.countersignature) signedByBoth++
      else wrong.push(`receipt ${sequence} of ${lease} is countersigned here and not there`)
    }
    // One is under way at a time.
    if ((theirs?.size ?? 0) > rows.size) wrong.push(`the requester of ${lease} has receipts that its provider has not`)
  }
  const said = new Map<string, string>()
  let doubled = provider.doubled + requester.doubled
  for (const { kind, lease, sequence, hash } of [...told.byProvider, ...told.byRequester]) {
    const name = `${kind} ${lease} ${sequence}`
    if (said.has(name) && said.get(name) !== hash) doubled++
    said.set(name, hash)
  }
  return {
    acknowledged: said.size,
    lost: new Set(lost.map(({ hash }) => hash)).size,
    doubled,
    chainBreaks: wrong.length,
    signedByBoth,
    bad: wrong.slice(0, 20),
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
