/**
 * Receipts that are signed and durable, a second, beside a plain file to which the same is appended and synced: what a machine, a
 * database, its indexes and the chain cost over that. One thread signs, and it is the thread that writes.
 */
import { closeSync, fdatasyncSync, openSync, writevSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { realClock, silentLog } from '../../src/environment.ts'
import { MachineStates } from '../../src/ledger/machine-states.ts'
import { changesPerCommitMax, Store } from '../../src/ledger/store.ts'
import type { Part } from '../bench.ts'
import { alternate, pair, type Measure } from '../paired.ts'
import { pairedRow, valueRow } from '../report.ts'
import { asker, Trade, worker, type Step } from './trade.ts'

const perSecondLeast = 10_000
const ratioLeast = 0.5
/** Of each lease, in one run. */
const turnsInGroups = 40
const turnsSingly = 200

/** Keeps steps, so that they are durable when it resolves. */
type Keep = (steps: readonly Step[]) => Promise<void>

type Half = 'receipt' | 'countersign'

/** One run over fresh leases: receipts a second of the time in which they were signed and kept, `leases` at a time. */
async function perSecond(
  leases: number,
  turns: number,
  half: Half,
  keep: Keep,
  onProcessor?: number[],
): Promise<number> {
  const trade = new Trade(`${half}/${leases}`, leases)
  const all = Array.from({ length: leases }, (_, index) => index)
  let [tookMs, processorUs] = [0, 0]
  for (let turn = 0; turn < turns; turn++) {
    trade.turn()
    if (half === 'countersign') for (const index of all) trade.receipt(index)
    const beganMs = performance.now()
    const before = process.cpuUsage()
    await keep(all.map((index) => trade[half](index)))
    tookMs += performance.now() - beganMs
    const { user, system } = process.cpuUsage(before)
    processorUs += user + system
    if (half === 'receipt') for (const index of all) trade.countersign(index)
    for (const index of all) trade.take(index)
  }
  onProcessor?.push((leases * turns * 1_000_000) / processorUs)
  return (leases * turns * 1_000) / tookMs
}

/** Without machines, signatures and states: the bytes alone, made before. */
async function bytesPerSecond(turns: number, keep: Keep): Promise<number> {
  const trade = new Trade('bytes', changesPerCommitMax)
  trade.turn()
  const steps = Array.from({ length: changesPerCommitMax }, (_, index) => trade.receipt(index))
  const beganMs = performance.now()
  for (let turn = 0; turn < turns; turn++) await keep(steps)
  return (steps.length * turns * 1_000) / (performance.now() - beganMs)
}

export const receipts: Part = {
  name: 'receipts',
  about: 'signed and durable receipts a second, singly and in groups, beside an append log',
  async measure({ rounds, folder }) {
    const inLedger =
      (half: Half, run: (keep: Keep) => Promise<number>): Measure =>
      async () => {
        const place = await mkdtemp(join(folder, 'ledger-'))
        const store = Store.open(join(place, 'ledger.db'), realClock, silentLog)
        const machines = new MachineStates(store, half === 'receipt' ? worker : asker)
        const kind = half === 'receipt' ? 'lease' : 'job'
        try {
          return await run(async (steps) => {
            const nowMs = realClock.nowMs()
            await Promise.all(steps.map(async (step) => machines.commit({ ...step, kind, final: false }, nowMs)))
          })
        } finally {
          store.close()
          await rm(place, { recursive: true })
        }
      }
    const inLog =
      (run: (keep: Keep) => Promise<number>): Measure =>
      async () => {
        const file = openSync(join(folder, 'append.log'), 'w')
        try {
          return await run(async (steps) => {
            writevSync(
              file,
              steps.flatMap(({ state, statements }) => [...statements.map(({ envelope }) => envelope), state]),
            )
            fdatasyncSync(file)
          })
        } finally {
          closeSync(file)
        }
      }
    const onProcessor: number[] = []
    const groups = async (keep: Keep): Promise<number> => perSecond(changesPerCommitMax, turnsInGroups, 'receipt', keep)
    const watched = async (keep: Keep): Promise<number> =>
      perSecond(changesPerCommitMax, turnsInGroups, 'receipt', keep, onProcessor)
    const singly = async (keep: Keep): Promise<number> => perSecond(1, turnsSingly, 'receipt', keep)
    const countersigned = async (keep: Keep): Promise<number> =>
      perSecond(changesPerCommitMax, turnsInGroups, 'countersign', keep)
    const bytes = async (keep: Keep): Promise<number> => bytesPerSecond(turnsInGroups, keep)
    const figures = await alternate(rounds, {
      groups: inLedger('receipt', watched),
      groupsLogged: inLog(groups),
      bytesLogged: inLog(bytes),
      singly: inLedger('receipt', singly),
      singlyLogged: inLog(singly),
      countersigned: inLedger('countersign', countersigned),
      countersignedLogged: inLog(countersigned),
    })
    const inGroups = `receipts in groups of ${changesPerCommitMax}, signed by the provider`
    const logged = 'the same signed and appended to a file, with one fdatasync a group'
    return [
      valueRow(inGroups, '1/s', figures.groups, { least: perSecondLeast }),
      valueRow(
        `${inGroups}, for a second of processor time`,
        '1/s',
        // The first run was to warm up.
        onProcessor.slice(-rounds),
        undefined,
        'what one processor would do that others leave alone, without the waits for the disk',
      ),
      pairedRow(inGroups, '1/s', logged, pair(figures.groups, figures.groupsLogged), { least: ratioLeast }),
      pairedRow(
        inGroups,
        '1/s',
        'the bytes alone, neither signed nor encoded, appended likewise',
        pair(figures.groups, figures.bytesLogged),
      ),
      pairedRow(
        'receipts one after the other, signed by the provider',
        '1/s',
        'the same signed and appended to a file, with an fdatasync each',
        pair(figures.singly, figures.singlyLogged),
      ),
      pairedRow(
        `receipts in groups of ${changesPerCommitMax}, checked and countersigned by the requester`,
        '1/s',
        logged,
        pair(figures.countersigned, figures.countersignedLogged),
      ),
    ]
  },
}
