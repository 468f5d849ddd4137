/**
 * Sealing with one worker beside what it is made of: the time to encrypt, to code and to hash the same segment, each alone in a thread
 * of its own that does nothing else. Their sum is the least that one thread can take.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

import { segmentBytesOf, type Code } from '../../protocols/erasure/index.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { WorkerMill } from '../../src/storage/workers/worker-mill.ts'
import type { Circumstances, Part } from '../bench.ts'
import { alternate, pair } from '../paired.ts'
import { pairedRow, valueRow, type Row } from '../report.ts'
import type { SingleRate, SingleTask } from './rates-worker.ts'

const codes: Readonly<Record<string, Code>> = { 'ship 10+4': { k: 10, m: 4 }, 'keep 8+8': { k: 8, m: 8 } }
/** Segments of one run. */
const segments = 24
const boundRatioMin = 0.8
const key = new Uint8Array(32).fill(7)

export const seal: Part = {
  name: 'seal',
  about: 'encrypt, code and hash with one worker, beside the bound of the three rates alone',
  async measure(circumstances) {
    const rows: Row[] = []
    for (const [name, code] of Object.entries(codes)) rows.push(...(await measureCode(name, code, circumstances)))
    return rows
  },
}

async function measureCode(name: string, code: Code, { rounds, say, signal }: Circumstances): Promise<Row[]> {
  await using mill = new WorkerMill({ workersMax: 1 }, { clock: realClock, log: silentLog })
  await using single = new SingleRates()
  const alone = (rate: SingleRate) => async () => single.measure({ rate, code, segments })
  say(`${name}, ${rounds} rounds`)
  const figures = await alternate(rounds, {
    encrypt: alone('encrypt'),
    code: alone('code'),
    hash: alone('hash'),
    seal: async () => sealed(mill, code, signal),
  })
  const bound = figures.encrypt.map(
    (encrypt, round) => 1 / (1 / encrypt + 1 / figures.code[round]! + 1 / figures.hash[round]!),
  )
  const least = { least: boundRatioMin }
  return [
    valueRow(`encrypt ${name}`, 'MB/s', figures.encrypt),
    valueRow(`code ${name}`, 'MB/s', figures.code),
    valueRow(`hash ${name}`, 'MB/s', figures.hash, undefined, 'of plaintext: all n strips are hashed'),
    pairedRow(`seal ${name}`, 'MB/s', 'bound of the three rates', pair(figures.seal, bound), least),
  ]
}

/**
 * MB of plaintext a second, as src/storage/seal.ts does it: the next segment is put in while one is worked on. Without a disk. The mill's
 * thread is begun before, as the one is that the three rates are measured in.
 */
async function sealed(mill: WorkerMill, code: Code, signal: AbortSignal): Promise<number> {
  const plainBytes = segmentBytesOf(code)
  const first = await mill.lend(code, plainBytes, signal)
  await mill.seal(first, { code, key, number: 0, isLast: false, plainBytes }, signal)
  const before = performance.now()
  let last = Promise.resolve()
  for (let number = 0; number < segments; number++) {
    const room = await mill.lend(code, plainBytes, signal)
    const mine = mill
      .seal(room, { code, key, number, isLast: false, plainBytes }, signal)
      .finally(() => room.giveBack())
    await last
    last = mine.then(() => {})
  }
  await last
  first.giveBack()
  return (segments * plainBytes) / 1_000 / (performance.now() - before)
}

/** A thread that measures one rate at a time. */
class SingleRates implements AsyncDisposable {
  readonly #worker = new Worker(new URL('rates-worker.ts', import.meta.url))

  /** MB of plaintext a second. */
  async measure(task: SingleTask): Promise<number> {
    this.#worker.postMessage(task)
    const [rate] = (await once(this.#worker, 'message')) as [number]
    return rate
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}
