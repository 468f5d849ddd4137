/**
 * `sim boots`: the same number of peers booted in each way, and libp2p's parts as they come beside them. One process each, one
 * after the other, since each wants the whole machine.
 */
import { reportOfChild } from './own-process.ts'

export interface BootsOrder {
  readonly peers: number
  readonly seed: number
  readonly json: boolean
}

/** What is compared. */
interface Figures {
  readonly bootMs: number | null
  readonly rssMb: number | null
  readonly gossipCoverage: number | null
  readonly findHitRate: number | null
  readonly meshDegreeMin: number | null
  readonly connectionsMean: number | null
}

/** What the process of one way prints as its last line, as far as it is read. */
export interface BootReport extends Figures {
  /** False: the time for the mesh was over, and `bootMs` is at least what it would have been. */
  readonly hasMesh?: boolean
  readonly numbers: Readonly<Record<string, number>>
}

export interface BootRow extends Figures {
  readonly name: string
  /** Of a processor, for the boot and what was measured after it. On a machine that others use, the figure to go by. */
  readonly cpuSeconds: number | null
  /** By what libp2p's parts take as they come: below 1 is sooner, and smaller. */
  readonly ratioBoot: number | null
  readonly ratioRss: number | null
  readonly ratioCpu: number | null
  /** Why there are no numbers, or what they are not. */
  readonly note?: string
}

const baseline = 'naive'
const ways: readonly (readonly [name: string, ...args: string[]])[] = [
  ['fast', 'live', '--scenario', 'boot'],
  ['cold', 'live', '--scenario', 'boot', '--cold'],
  ['tcp', 'live', '--scenario', 'boot', '--tcp'],
  ['cold-tcp', 'live', '--scenario', 'boot', '--cold', '--tcp'],
  [baseline, 'naive'],
]
/** Exit code: 0, or 3 when a way has no numbers. */
export async function boots({ peers, seed, json }: BootsOrder): Promise<number> {
  const reports: (readonly [name: string, report: BootReport | string])[] = []
  for (const [name, ...args] of ways)
    reports.push([
      name,
      await reportOfChild<BootReport>([...args, '--peers', String(peers), '--seed', String(seed), '--json']),
    ])
  const rows = rowsOf(reports)
  for (const row of rows) process.stderr.write(`${lineOf(row)}\n`)
  const report = { v: 1, bench: 'boot', peers, seed, baseline, rows }
  process.stdout.write(json ? `${JSON.stringify(report)}\n` : `${JSON.stringify(report, null, 2)}\n`)
  return rows.some(({ bootMs }) => bootMs === null) ? 3 : 0
}

/** Each way beside the baseline. A way that failed says why in place of its report. */
export function rowsOf(reports: readonly (readonly [name: string, report: BootReport | string])[]): BootRow[] {
  const base = reports.find(([name]) => name === baseline)?.[1]
  const beside = typeof base === 'object' ? base : { ...nothing, numbers: {} }
  return reports.map(([name, report]) => {
    if (typeof report === 'string')
      return { name, ...nothing, cpuSeconds: null, ratioBoot: null, ratioRss: null, ratioCpu: null, note: report }
    const { bootMs, rssMb, gossipCoverage, findHitRate, meshDegreeMin, connectionsMean } = report
    const cpuSeconds = cpuOf(report)
    return {
      name,
      bootMs,
      rssMb,
      gossipCoverage,
      findHitRate,
      meshDegreeMin,
      connectionsMean,
      cpuSeconds: cpuSeconds === null ? null : Math.round(cpuSeconds * 10) / 10,
      ratioBoot: ratio(bootMs, beside.bootMs),
      ratioRss: ratio(rssMb, beside.rssMb),
      ratioCpu: ratio(cpuSeconds, cpuOf(beside)),
      ...(report.hasMesh === false ? { note: 'the mesh was not whole when the time for it was over' } : {}),
    }
  })
}

const nothing: Figures = {
  bootMs: null,
  rssMb: null,
  gossipCoverage: null,
  findHitRate: null,
  meshDegreeMin: null,
  connectionsMean: null,
}

function cpuOf({ numbers }: Pick<BootReport, 'numbers'>): number | null {
  return numbers['cpu_seconds'] ?? null
}

function ratio(own: number | null, other: number | null): number | null {
  return own === null || other === null || other === 0 ? null : Math.round((own / other) * 1000) / 1000
}

function lineOf(row: BootRow): string {
  const { name, bootMs, rssMb, cpuSeconds, gossipCoverage, findHitRate, ratioBoot, ratioRss, ratioCpu, note } = row
  if (bootMs === null) return `${name.padEnd(9)} ${note ?? 'no numbers'}`
  const percent = (share: number | null): string => (share === null ? '-' : `${Math.round(share * 1000) / 10} %`)
  return [
    name.padEnd(9),
    `boot ${(bootMs / 1000).toFixed(1)} s (× ${ratioBoot ?? '-'})`,
    `RSS ${rssMb} MB (× ${ratioRss ?? '-'})`,
    `processor ${cpuSeconds} s (× ${ratioCpu ?? '-'})`,
    `heard ${percent(gossipCoverage)}`,
    `found ${percent(findHitRate)}`,
  ].join('  ')
}
