/** Other programs, run to their end. */
import { spawn } from 'node:child_process'

export interface Ran {
  readonly wallMs: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** Rejects when it cannot be started or does not exit with 0. `stdin`: the descriptor of a file. */
export async function ran(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  stdin: number | 'ignore' = 'ignore',
): Promise<Ran> {
  const beganMs = performance.now()
  const child = spawn(command, args, { stdio: [stdin, 'pipe', 'pipe'], signal })
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  child.stdout!.on('data', (chunk: Uint8Array) => void out.push(chunk))
  child.stderr!.on('data', (chunk: Uint8Array) => void err.push(chunk))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  const stderr = Buffer.concat(err).toString()
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${stderr.trim().split('\n').at(-1) ?? ''}`)
  return { wallMs: performance.now() - beganMs, stdout: Buffer.concat(out), stderr }
}
