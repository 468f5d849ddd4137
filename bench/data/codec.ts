/**
 * The code alone: strips of 1 MiB that lie in the kernel's memory, beside Intel ISA-L, which lays them as we do, and beside the best
 * that npm has in WebAssembly. All figures are GB/s of data; but for
 * those of two workers by the processor time of the one thread, so that they say what the code takes and not what others leave.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

import { createCoder, kernelPaths } from '../../protocols/erasure/index.ts'
import type { Circumstances, Part } from '../bench.ts'
import { alternate, pair, type Measure } from '../paired.ts'
import { missingRow, pairedRow, valueRow, type Row, type Target } from '../report.ts'
import {
  coding,
  shareStrips,
  speedOf,
  taken,
  type Codes,
  type CodecRun,
  type CodecShare,
  type Seconds,
} from './codec-run.ts'
import { buildIsaL, IsaL, type IsaLPath } from './isa-l.ts'
import { installNpmCodec, npmCodecName } from './npm-codec.ts'

const stripBytes = 1024 * 1024
const unit = 'GB/s'
const best = 'ISA-L'
const avx2 = 'ISA-L, AVX2'
const sse = 'ISA-L, SSE'
const besides = [best, avx2, sse] as const

export const codec: Part = {
  name: 'codec',
  about: 'Reed–Solomon, one thread and two, beside ISA-L and the best WebAssembly of npm',
  async measure(circumstances) {
    return [
      ...(await besideIsaL(circumstances)),
      ...(await besideNpm(circumstances)),
      ...(await besideEachOther(circumstances)),
      ...(await inWorkers(circumstances)),
    ]
  },
}

/** What is coded, and the bars beside ISA-L's ways. `repeats` make a run of ISA-L's last from 40 to 200 ms. */
const isaLRuns: readonly {
  readonly name: string
  readonly run: CodecRun
  readonly repeats: number
  readonly targets: { readonly [Beside in (typeof besides)[number]]?: Target }
}[] = [
  {
    name: 'encode 10+4',
    run: { k: 10, m: 4, stripBytes, lost: 0 },
    repeats: 100,
    targets: { [best]: { least: 0.45 }, [sse]: { least: 0.75 } },
  },
  {
    name: 'decode 10+4, 4 lost',
    run: { k: 10, m: 4, stripBytes, lost: 4 },
    repeats: 100,
    targets: { [best]: { least: 0.45 }, [sse]: { least: 0.75 } },
  },
  {
    name: 'encode 16+16',
    run: { k: 16, m: 16, stripBytes, lost: 0 },
    repeats: 15,
    targets: { [best]: { least: 0.5 } },
  },
]

async function besideIsaL({ rounds, folder, say, signal }: Circumstances): Promise<Row[]> {
  const built = await buildIsaL(folder)
  await using isaL = 'program' in built ? new IsaL(built.program, signal) : undefined
  const rows: Row[] = []
  for (const { name, run, repeats, targets } of isaLRuns) {
    say(name)
    const [share] = shareStrips(run, 1)
    const code = coding(share!)
    const ours: Measure = () => speedOf(run.k * stripBytes, code)
    if (isaL === undefined) {
      const why = 'missing' in built ? built.missing : ''
      const { values } = await alternate(rounds, { values: ours })
      rows.push(valueRow(name, unit, values))
      for (const beside of besides) rows.push(missingRow(name, unit, beside, why, targets[beside]))
      continue
    }
    const theirs =
      (path: IsaLPath): Measure =>
      async () =>
        isaL.speed({ ...run, path, repeats })
    const figures = await alternate(rounds, {
      ours,
      [best]: theirs('best'),
      [avx2]: theirs('avx2'),
      [sse]: theirs('sse'),
    })
    for (const beside of besides) {
      const theirSpeeds = figures[beside]
      if (theirSpeeds.includes(0)) rows.push(missingRow(name, unit, beside, 'the processor cannot', targets[beside]))
      else rows.push(pairedRow(name, unit, beside, pair(figures.ours, theirSpeeds), targets[beside]))
    }
  }
  return rows
}

async function besideNpm({ rounds, folder, say, signal }: Circumstances): Promise<Row[]> {
  const [k, m] = [10, 4]
  const name = 'encode 10+4'
  const least = { least: 10 }
  say(npmCodecName)
  const installed = await installNpmCodec(folder, signal)
  if ('missing' in installed) return [missingRow(name, unit, npmCodecName, installed.missing, least)]
  const [share] = shareStrips({ k, m, stripBytes, lost: 0 }, 1)
  const encode = coding(share!)
  const shards = new Uint8Array((k + m) * stripBytes)
  const data = Array.from({ length: k }, (_, index) =>
    shards
      .fill(index + 1, index * stripBytes, (index + 1) * stripBytes)
      .slice(index * stripBytes, (index + 1) * stripBytes),
  )
  const anywhere = createCoder(k, m)
  const vandermonde = createCoder(k, m, { matrix: 'vandermonde' })
  const { ours, copied, theirs } = await alternate(rounds, {
    ours: () => speedOf(k * stripBytes, encode),
    copied: () => speedOf(k * stripBytes, () => anywhere.encode(data)),
    theirs: () =>
      speedOf(k * stripBytes, () => {
        if (installed.codec.encode(shards, k, m) !== 0) throw new Error(`${npmCodecName} does not encode`)
      }),
  })
  const same = Buffer.compare(Buffer.concat(vandermonde.encode(data)), shards.subarray(k * stripBytes)) === 0
  const note = same ? 'same bytes as its Vandermonde matrix' : 'other bytes than its Vandermonde matrix'
  return [
    pairedRow(name, unit, npmCodecName, pair(ours, theirs), least, note),
    pairedRow(`${name}, copied in and out`, unit, npmCodecName, pair(copied, theirs)),
  ]
}

/** What was not taken. */
async function besideEachOther({ rounds, say }: Circumstances): Promise<Row[]> {
  say('paths')
  const run: CodecRun = { k: 10, m: 4, stripBytes, lost: 0 }
  const measures: Record<string, Measure> = {}
  const all = new Set<Codes>([taken, ...kernelPaths])
  for (const codes of all) {
    const [share] = shareStrips(run, 1)
    const encode = coding(share!, codes)
    measures[codes] = () => speedOf(run.k * stripBytes, encode)
  }
  const figures = await alternate(rounds, measures)
  const others = [...all].filter((codes) => codes !== taken)
  return others.map((codes) => pairedRow(`encode 10+4, ${codes}`, unit, taken, pair(figures[codes]!, figures[taken]!)))
}

/** One segment a worker, in one memory. */
async function inWorkers({ rounds, say }: Circumstances): Promise<Row[]> {
  say('workers')
  const shares = shareStrips({ k: 10, m: 4, stripBytes, lost: 0 }, 2)
  await using workers = new CodecWorkers(shares)
  const name = 'encode 10+4, two workers'
  const { one, two, oneAlone, twoAlone } = await alternate(rounds, {
    one: async () => workers.speed(1, 'wall'),
    two: async () => workers.speed(2, 'wall'),
    oneAlone: async () => workers.speed(1, 'processor'),
    twoAlone: async () => workers.speed(2, 'processor'),
  })
  return [
    pairedRow(name, unit, 'one worker', pair(two, one), { least: 1.8 }, 'needs two cores that nobody else uses'),
    pairedRow(`${name}, by processor time`, unit, 'one worker', pair(twoAlone, oneAlone)),
  ]
}

class CodecWorkers implements AsyncDisposable {
  readonly #workers: readonly Worker[]

  constructor(shares: readonly CodecShare[]) {
    const program = new URL('codec-worker.ts', import.meta.url)
    this.#workers = shares.map((workerData) => new Worker(program, { workerData }))
  }

  /** Of the first so many workers together. */
  async speed(count: number, seconds: Seconds): Promise<number> {
    const speeds = await Promise.all(
      this.#workers.slice(0, count).map(async (worker) => {
        worker.postMessage(seconds)
        const [speed] = (await once(worker, 'message')) as [number]
        return speed
      }),
    )
    return speeds.reduce((sum, speed) => sum + speed, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(async (worker) => worker.terminate()))
  }
}
