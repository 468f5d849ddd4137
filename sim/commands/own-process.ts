/** Live peers run in processes of their own, with a heap that suits them. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * V8's youngest generation, in MiB, and who empties it. The models of this simulator are faster with a large one; live peers
 * keep much of what they make, so that a large one is a pause of 40 ms when it is full, and 150 MB more. Helpers would
 * shorten the pauses on an idle machine; on a busy one everything waits until they get their turn.
 */
export const heapFlags = [
  '--max-semi-space-size=32',
  '--no-parallel-scavenge',
  // Half of what is allocated in a boot outlives the youngest generation and is garbage soon after. V8 begins to look for it
  // when its heap is about to be full, which is at more than twice of what lives: here when the heap is half way there.
  '--incremental-marking-soft-trigger=60',
  '--incremental-marking-hard-trigger=50',
]

/**
 * For peers that work for a while: what lives grows to some hundred MiB, and is looked through for garbage every three seconds with the
 * flags above. Measured with the market of a storm, 300 peers, one run each: 180 s of processor time with those and 122 with these,
 * which take 0.4 GB more.
 */
export const workFlags = ['--max-semi-space-size=64', '--no-parallel-scavenge', '--heap-growing-percent=100']

/**
 * Here, when this is such a process; otherwise in one that is given the same arguments, and that is told when this one is told to
 * end, or has gone without a word: a channel between them breaks.
 */
export async function inOwnProcess(
  args: readonly string[],
  run: () => Promise<number>,
  flags: readonly string[] = heapFlags,
): Promise<number> {
  if (flags.every((flag) => process.execArgv.includes(flag))) return run()
  const child = spawn(process.execPath, [...flags, process.argv[1]!, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  // From a terminal the child is told too; by whatever else, only this process.
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
  process.on('SIGINT', pass).on('SIGTERM', pass)
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  process.off('SIGINT', pass).off('SIGTERM', pass)
  return code ?? 128 + constants.signals[signal!]
}

/** A child that takes longer is ended. */
const childMsMax = 10 * 60_000
const lastLineBytesMax = 2 ** 20

/** Runs the simulator with these arguments in a process of its own, and gives what it says last; in words, why it said nothing. */
export async function reportOfChild<Report>(args: readonly string[]): Promise<Report | string> {
  const child = spawn(process.execPath, [...heapFlags, process.argv[1]!, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const end = (): void => void child.kill('SIGTERM')
  const timer = setTimeout(end, childMsMax)
  process.once('SIGINT', end).once('SIGTERM', end)
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-lastLineBytesMax)))
  const [code] = (await once(child, 'close')) as [number | null]
  clearTimeout(timer)
  process.off('SIGINT', end).off('SIGTERM', end)
  const last = said.trimEnd().split('\n').at(-1) ?? ''
  // An assertion that does not hold is in the numbers.
  if (code !== 0 && code !== 3) return `it ended with ${code === null ? 'a signal' : `exit code ${code}`}`
  return last.startsWith('{') ? (JSON.parse(last) as Report) : 'it said nothing'
}

/** What booting left behind would otherwise be collected while it is measured how late messages are. */
export function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}
