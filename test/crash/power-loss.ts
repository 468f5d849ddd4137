/**
 * Power losses, by replaying what a program wrote: at an instant of chance everything that was synced is on the disk, and of what was
 * not any part, in any order, down to sectors. Each such disk is opened, and must have all that was acknowledged before.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

import { worker } from '../../bench/ledger/trade.ts'
import { SeededRandom } from '../../sim/random.ts'
import { readBook } from './kills.ts'
import { readTrace, straceArguments, type Operation } from './trace.ts'

export interface PowerReport {
  readonly states: number
  /** Statements that were acknowledged by the end of the recording. */
  readonly acknowledged: number
  /** States in which something that was acknowledged is missing, … */
  readonly lossy: number
  /** … and in which the chain does not hold, or the ledger cannot be opened. */
  readonly broken: number
  readonly bad: readonly string[]
}

export interface PowerOptions {
  readonly states: number
  readonly seed: number
  readonly leases: number
  readonly turns: number
  /** NORMAL loses what was acknowledged: so it is known that this would be seen. */
  readonly synchronous: 'FULL' | 'NORMAL'
}

const sectorBytes = 512
const writer = join(import.meta.dirname, 'receipt-writer.ts')

/** Why no power can be lost here; undefined: it can. */
export function whyNoPowerLoss(): string | undefined {
  const { status, error, stderr } = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (error !== undefined) return 'strace is not installed (apt install strace)'
  return status === 0 ? undefined : `strace cannot trace here: ${stderr.trim().slice(-200)}`
}

export async function losePower({ states, seed, leases, turns, synchronous }: PowerOptions): Promise<PowerReport> {
  const scratch = await realpath(await mkdtemp(join(tmpdir(), 'pleach-power-')))
  try {
    const folder = join(scratch, 'written')
    await mkdir(folder)
    const tracePath = join(scratch, 'trace')
    const how = [process.execPath, writer, join(folder, 'ledger.db'), String(leases), String(turns), synchronous]
    const child = spawn('strace', [...straceArguments(tracePath), ...how], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.resume()
    const [code] = (await once(child, 'close')) as [number | null]
    if (code !== 0) throw new Error(`the writer ended with ${code}`)
    const operations = readTrace(tracePath, folder)
    const first = operations.findIndex(({ is }) => is === 'acknowledge')
    if (first < 0) throw new Error('nothing was acknowledged')
    const random = SeededRandom.of(seed, 'power', synchronous)
    const report = { lossy: 0, broken: 0, bad: [] as string[] }
    for (let state = 0; state < states; state++) {
      const until = random.between(first + 1, operations.length)
      const place = join(scratch, `state-${state}`)
      await mkdir(place)
      const disk = diskAt(operations.slice(0, until), random)
      for (const [path, bytes] of disk) await writeFile(join(place, basename(path)), bytes)
      const told = operations.slice(0, until).flatMap((one) => (one.is === 'acknowledge' ? [one.hash] : []))
      const what = `state ${state} (seed ${seed}, after ${until} of ${operations.length} operations)`
      try {
        const { statements, findings } = await readBook(join(place, 'ledger.db'), worker)
        const missing = told.filter((hash) => !statements.has(hash)).length
        if (missing > 0) report.lossy++
        if (findings.length > 0) report.broken++
        if (missing > 0 || findings.length > 0) report.bad.push(`${what}: ${missing} lost; ${findings.join('; ')}`)
      } catch (error) {
        report.broken++
        report.bad.push(`${what}: ${(error as Error).message}`)
      }
      await rm(place, { recursive: true })
    }
    const acknowledged = operations.filter(({ is }) => is === 'acknowledge').length
    return { states, acknowledged, ...report, bad: report.bad.slice(0, 20) }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

type Change = Extract<Operation, { is: 'write' | 'truncate' }>

/** A file, whatever its name: what is on the disk for certain, and what came after the last sync. */
interface Inode {
  bytes: Buffer
  readonly pending: Change[]
}

type Naming = { readonly path: string; readonly inode: Inode | null }

/** The files as they are on a disk whose power went after these operations. */
function diskAt(operations: readonly Operation[], random: SeededRandom): Map<string, Buffer> {
  const names = new Map<string, Inode>()
  const durable = new Map<string, Inode>()
  // Names are written in order: of those that were not synced, the first few are on the disk.
  const renamings: Naming[][] = []
  const settle = (count: number): void => {
    for (const group of renamings.splice(0, count))
      for (const { path, inode } of group) {
        if (inode === null) durable.delete(path)
        else durable.set(path, inode)
      }
  }
  for (const operation of operations) {
    if (operation.is === 'acknowledge') continue
    const { path } = operation
    switch (operation.is) {
      case 'create': {
        if (names.has(path)) break
        const inode: Inode = { bytes: Buffer.alloc(0), pending: [] }
        names.set(path, inode)
        renamings.push([{ path, inode }])
        break
      }
      case 'write':
      case 'truncate':
        names.get(path)?.pending.push(operation)
        break
      case 'sync': {
        const inode = names.get(path)
        // A sync of the folder.
        if (inode === undefined) settle(renamings.length)
        else for (const change of inode.pending.splice(0)) inode.bytes = changed(inode.bytes, change)
        break
      }
      case 'unlink':
        names.delete(path)
        renamings.push([{ path, inode: null }])
        break
      case 'rename': {
        const inode = names.get(path)
        if (inode === undefined) break
        names.delete(path)
        names.set(operation.to, inode)
        renamings.push([
          { path: operation.to, inode },
          { path, inode: null },
        ])
        break
      }
      default:
        operation satisfies never
    }
  }
  settle(random.between(0, renamings.length))
  const luck = random.pick([0, 0.5, 1])
  const disk = new Map<string, Buffer>()
  for (const [path, { bytes, pending }] of durable) {
    let found = bytes
    for (const change of pending) if (random.chance(luck)) found = changed(found, torn(change, luck, random))
    disk.set(path, found)
  }
  return disk
}

/** Of a write that was under way only some sectors may have come to the disk, from its beginning. */
function torn(change: Change, luck: number, random: SeededRandom): Change {
  if (change.is !== 'write' || luck === 1 || random.chance(0.7)) return change
  const sectors = Math.floor(change.bytes.byteLength / sectorBytes)
  return { ...change, bytes: change.bytes.subarray(0, random.between(0, sectors) * sectorBytes) }
}

function changed(bytes: Buffer, change: Change): Buffer {
  if (change.is === 'truncate') {
    return change.bytes <= bytes.byteLength
      ? bytes.subarray(0, change.bytes)
      : Buffer.concat([bytes, Buffer.alloc(change.bytes - bytes.byteLength)])
  }
  const end = change.at + change.bytes.byteLength
  const found = Buffer.alloc(Math.max(bytes.byteLength, end))
  bytes.copy(found)
  change.bytes.copy(found, change.at)
  return found
}
