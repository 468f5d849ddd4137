/** The owner's own word on a bid: a program that is given the bid as JSON on its stdin, and admits it by exit code 0. */
import { spawn } from 'node:child_process'

import type { Bid } from '../../protocols/bid/index.ts'
import { refusal, type Refusal, type Signed } from '../../protocols/wire/index.ts'
import type { Clock } from '../environment.ts'

/** A bid is open for seconds: whoever thinks longer has said no. */
const admitWithinMs = 2_000

/** What the program reads: one line, with amounts as they are written down, in micro-units. */
export function admissionRequest({ by, body }: Pick<Signed<Bid>, 'by' | 'body'>): string {
  return `${JSON.stringify({ v: 1, requester: by, ...body })}\n`
}

/** Null: admitted. Rejects when the program cannot be started. */
export async function admitByProgram(
  program: string,
  bid: Pick<Signed<Bid>, 'by' | 'body'>,
  clock: Pick<Clock, 'deadline'>,
  signal: AbortSignal,
): Promise<Refusal | null> {
  const { promise, resolve, reject } = Promise.withResolvers<Refusal | null>()
  using deadline = clock.deadline(admitWithinMs, signal)
  const until = deadline.signal
  const child = spawn(program, [], { stdio: ['pipe', 'ignore', 'ignore'], signal: until, killSignal: 'SIGKILL' })
  child.on('error', (error) => {
    if (until.aborted) resolve(refusal('NOT_ADMITTED', { why: 'it took too long to say', withinMs: admitWithinMs }))
    else reject(error)
  })
  child.on('exit', (code) => {
    if (code === 0) resolve(null)
    else resolve(refusal('NOT_ADMITTED', code === null ? {} : { exit: code }))
  })
  // It may have made up its mind without reading.
  child.stdin.on('error', () => {})
  child.stdin.end(admissionRequest(bid))
  return await promise
}
