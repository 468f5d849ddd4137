/** Intel ISA-L as a program beside ours, where Debian's `libisal-dev` and a C compiler are installed. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const compileTimeoutMs = 30_000
const parityBytesMax = 256 * 1024 * 1024

/** Compiles isa-l.c into the folder: the program's path, or why there is none. */
export async function buildIsaL(folder: string): Promise<{ program: string } | { missing: string }> {
  const program = join(folder, 'isa-l')
  const source = join(import.meta.dirname, 'isa-l.c')
  try {
    await promisify(execFile)('cc', ['-O2', '-o', program, source, '-lisal'], { timeout: compileTimeoutMs })
    return { program }
  } catch (error) {
    const { code, stderr = '' } = error as NodeJS.ErrnoException & { readonly stderr?: string }
    if (code === 'ENOENT') return { missing: 'there is no C compiler (cc) to build isa-l.c with' }
    if (/isa-l\/erasure_code\.h|-lisal/.test(stderr))
      return { missing: 'Intel ISA-L is not installed (Debian: libisal-dev)' }
    return { missing: `isa-l.c could not be compiled: ${stderr.trim().split('\n')[0]}` }
  }
}

/** The parity of its Cauchy matrix. */
export function isaLParity(program: string, data: readonly Uint8Array[], m: number): Uint8Array {
  const args = ['parity', data.length, m, data[0]!.byteLength].map(String)
  const { status, stdout } = spawnSync(program, args, { input: Buffer.concat(data), maxBuffer: parityBytesMax })
  if (status !== 0) throw new Error(`isa-l ${args.join(' ')} ended with ${status}`)
  return stdout
}

/** The widest vectors that it knows of and the processor has; or those of 32 or of 16 bytes. */
export type IsaLPath = 'best' | 'avx2' | 'sse'

export interface IsaLRun {
  readonly path: IsaLPath
  readonly k: number
  readonly m: number
  readonly stripBytes: number
  /** 0: encodes. Otherwise makes so many data strips of the others. */
  readonly lost: number
  readonly repeats: number
}

/** The program, waiting for runs. It uses no processor between them. */
export class IsaL implements AsyncDisposable {
  readonly #child
  readonly #lines

  constructor(program: string, signal: AbortSignal) {
    this.#child = spawn(program, ['serve'], { stdio: ['pipe', 'pipe', 'inherit'], signal })
    // Being aborted is no news to whoever aborts.
    this.#child.on('error', () => {})
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** GB/s of data, by processor time; 0 when the processor cannot take the path. */
  async speed({ path, k, m, stripBytes, lost, repeats }: IsaLRun): Promise<number> {
    this.#child.stdin.write(`${[path, k, m, stripBytes, lost, repeats].join(' ')}\n`)
    const { done, value } = await this.#lines.next()
    if (done === true) throw new Error('isa-l ended early')
    return Number(value)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => {
      this.#child.once('close', resolve)
    })
    this.#child.stdin.end()
    await ended
  }
}
