/** Quantities as people read them. Memory in powers of 1024, as it is sold; disk and network in powers of 1000, as they are. */
import type { HealthView, PeerView } from '../control/api.ts'
import { safe } from './escape.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** `2 cpu`, `0.5 cpu`. */
export function cpu(milli: number): string {
  return `${milli / 1_000} cpu`
}

/** `512 MiB`, `1.1 GiB`. */
export function memory(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB'])
}

/** `48.2 MB`, `20 GB`. */
export function size(bytes: number): string {
  return scaled(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB'])
}

/** Instructions: `4.2 G`. */
export function gas(count: number): string {
  return scaled(count, 1000, ['', 'k', 'M', 'G', 'T'])
}

/** Roughly, in one unit: `0.31 s`, `41 s`, `10 min`, `3 h`, `2 d`. */
export function span(ms: number): string {
  if (ms < 9_950) return seconds(ms)
  if (ms < minuteMs) return `${Math.round(ms / 1_000)} s`
  if (ms < hourMs) return `${Math.round(ms / minuteMs)} min`
  if (ms < 2 * dayMs) return `${Math.round(ms / hourMs)} h`
  return `${Math.round(ms / dayMs)} d`
}

/** `0.05 s`. */
export function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1_000).toFixed(2)} s`
}

/** `00:41`, `1:02:03`. */
export function stopwatch(ms: number): string {
  const total = Math.floor(ms / 1_000)
  const [hours, minutes, rest] = [Math.floor(total / 3_600), Math.floor(total / 60) % 60, total % 60]
  const tail = `${String(minutes).padStart(2, '0')}:${String(rest).padStart(2, '0')}`
  return hours === 0 ? tail : `${hours}:${tail}`
}

/** A price has a decimal point, so that it is not taken for a count: `1.0/cpu-h`. */
export function price(perCpuHour: string): string {
  return `${perCpuHour.includes('.') ? perCpuHour : `${perCpuHour}.0`}/cpu-h`
}

/** The same with what instructions cost, where they cost something: `1.0/cpu-h + 0.002/Ggas`. */
export function prices(perCpuHour: string, perGigaGas: string): string {
  return perGigaGas === '0' ? price(perCpuHour) : `${price(perCpuHour)} + ${perGigaGas}/Ggas`
}

/** `12D3KooW…h9Zt`. */
export function shortPeer(peer: string): string {
  return peer.length <= 16 ? safe(peer) : safe(`${peer.slice(0, 8)}…${peer.slice(-4)}`)
}

/** A petname with the id that it stands for beside it. */
export function named({ peer, petname }: PeerView): string {
  return `${safe(petname, 40)} ${shortPeer(peer)}`
}

/** `healthy`, `failing, 1 of 3 checks failed`. */
export function healthText({ state, failures, failuresMax }: HealthView): string {
  return failures === 0 ? state : `${state}, ${failures} of ${failuresMax} checks failed`
}

/** The part of a job's id that differs: a CID begins alike for all. Commands take it as it stands. */
export function shortJob(job: string): string {
  return safe(job.slice(-4))
}

/** Enough of a lease's id, which is a hash, to be the only one. */
export function shortLease(lease: string): string {
  return safe(lease.slice(0, 8))
}

/** `1 job`, `2 jobs`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

/** At most three figures, none of them a zero behind the point. */
function scaled(bytes: number, step: number, units: readonly string[]): string {
  let value = bytes
  let unit = 0
  while (value >= step && unit < units.length - 1) {
    value /= step
    unit++
  }
  const figures = value >= 100 || unit === 0 ? value.toFixed(0) : value.toFixed(1)
  return `${figures.replace(/\.0$/, '')} ${units[unit]}`
}

/** `brisk-reed 4.1 MB, calm-twill 3.9 MB`. */
export function sourcesText(sources: readonly { readonly peer: PeerView; readonly bytes: number }[]): string {
  if (sources.length === 0) return 'this peer alone'
  return sources.map(({ peer, bytes }) => `${named(peer)} ${size(bytes)}`).join(', ')
}
