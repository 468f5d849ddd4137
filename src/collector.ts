/**
 * How V8 looks for garbage, in a process that carries bulk data. What comes and goes there are buffers of 64 KiB, thousands a second,
 * that hang on objects of a few bytes; and V8 goes by the objects. Left to itself it lets its young generation grow to 16 MiB of
 * them, before which there are hundreds of MiB of buffers, and so looks through all that the process holds instead, for every 10 MiB
 * that came. Measured on a bare libp2p stream, both ends together: 5.4 ns of processor time for a byte, and 2.3 with these flags.
 */
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'

const flags = [
  // The young generation stays as small as it begins: it is looked through every millisecond or so, and its buffers are freed at once.
  '--semi-space-growth-factor=1',
  // The old one may grow by this share, buffers counted, before all stands still until it is looked through: with 100 a reader of 4 GiB held up to 102 MiB
  // beside what it had at rest while the machine had other work, since then there is little time to look beside the work…
  '--heap-growing-percent=40',
  // …and is looked through, beside the work, once so much of that is used up, in percent. Left to itself V8 begins when less is left than the young
  // generation may come to hold. Of 12 MiB that were left to a keeper of which 30 lived that was most: it began again as soon as it was done, and
  // took 6.1 ns a byte for it and its work, now 3.1 (four keepers; one alone 4.9, now 2.3). What a reader of 2 GiB held: 77 and 88 MiB with V8's
  // own beginning, 69 and 84 so, 88 and 95 from 60 on. Where little is left (20, from 90 on) all stood still for 30 ms at a time.
  '--incremental-marking-soft-trigger=15',
  // What so small a young generation takes, one thread does at once, and it frees the buffers itself. To wake others for it, a thousand times a second, took
  // up to a tenth of all that a get from one keeper takes, and the buffers waited meanwhile: the reader of 2 GiB held 89 and 93 MiB with them, 79 and 81 without.
  '--no-parallel-scavenge',
  '--no-concurrent-array-buffer-sweeping',
]

/** For the whole process, its worker threads too; to be called before it has done much. */
export function collectForBulk(): void {
  for (const flag of flags) setFlagsFromString(flag)
}

/**
 * What V8 reads only as it starts. It looks through its young generation when the buffers there come to twice of what that may grow to,
 * and left to itself that is 64 MiB. What a put of 1 GiB took beside what it had at rest, turn and turn about: 101 and 104 MiB; with this 73 to 81,
 * at the same rate.
 */
const startFlags: readonly string[] = ['--max-semi-space-size=4']

/**
 * Starts this process again in its own place, with what V8 reads only then: same pid, same files, same environment. To be called before
 * anything is open. Does nothing where somebody has said a size already, or where that cannot be done: on Windows, and below a parent
 * that talks to us, whose channel would be lost.
 */
export function startForBulk(): void {
  const said = [...process.execArgv, process.env['NODE_OPTIONS'] ?? ''].some((text) => text.includes('semi-space-size'))
  if (said || process.platform === 'win32' || process.send !== undefined || process.execve === undefined) return
  const { execPath, execArgv, argv, env } = process
  process.execve(execPath, [execPath, ...startFlags, ...execArgv, ...argv.slice(1)], env)
}
