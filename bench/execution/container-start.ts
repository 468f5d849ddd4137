/** How long a program in a container takes from its start to its first byte, beside the least WebAssembly and a node that does nothing. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { op, sequence } from '../../sim/programs/wasm-builder.ts'
import { program, textAt, write } from '../../sim/programs/wasi-program.ts'
import { realClock, silentLog } from '../../src/environment.ts'
import { createContainerExecutor } from '../../src/execution/container/container-executor.ts'
import { executableEntry } from '../../src/execution/container/least-image.ts'
import type { ExecutionTask, Executor } from '../../src/execution/executor.ts'
import { encodeEntry, paddingBytes, tarEnd } from '../../src/execution/tar-format.ts'
import { createWasiExecutor } from '../../src/execution/wasi-executor.ts'
import type { Part } from '../bench.ts'
import { alternate, pair, type Measure } from '../paired.ts'
import { missingRow, pairedRow } from '../report.ts'

const shellPath = '/bin/busybox'
const limits = {
  wallMs: 60_000,
  cpuMilli: 1_000,
  memoryBytes: 64 * 2 ** 20,
  outputBytes: 1,
  logBytes: 1,
  gas: 1_000_000,
}
const [name, nothingName, leastName] = ['container start', 'node -e 0', 'cold start of WebAssembly']

export const containerStart: Part = {
  name: 'container-start',
  about: 'a program in a container, from its start to its first byte',
  async measure({ rounds, folder, signal }) {
    const containers = createContainerExecutor(
      { socketPath: null, owner: 'bench', mayPull: false, mayEgress: false },
      { clock: realClock, log: silentLog, env: process.env },
    )
    const missing = (why: string) => [nothingName, leastName].map((beside) => missingRow(name, 'ms', beside, why))
    const { usable, detail } = await containers.probe()
    if (!usable) return missing(detail)
    const shell = await readFile(shellPath).catch(() => undefined)
    if (shell === undefined) return missing(`there is no ${shellPath}, of which the image is made`)
    const archive = imageOf(shell)
    const archivePath = join(folder, 'image.tar')
    await writeFile(archivePath, archive)
    const modulePath = join(folder, 'says.wasm')
    await writeFile(
      modulePath,
      program((call) => [sequence(write(call, op.i32(1), textAt, 1), op.drop)], { text: '!' }),
    )
    const firstByte = (executor: Executor, taskOf: () => Omit<ExecutionTask, 'outputsTarPath'>): Measure => {
      return async () => {
        const outputsTarPath = join(folder, 'outputs.tar')
        const startMs = performance.now()
        let firstMs = NaN
        const onLog = (): void => void (firstMs = performance.now() - startMs)
        const { reason, detail: why } = await executor.run({ ...taskOf(), outputsTarPath }, limits, { onLog }, signal)
        await rm(outputsTarPath, { force: true })
        if (reason !== 'exited') throw new Error(`${reason}: ${why}`)
        return firstMs
      }
    }
    let runs = 0
    const sha256 = sha256Hex(archive)
    const contained = firstByte(containers, () => ({
      modulePath: archivePath,
      args: ['echo', '-n', '!'],
      env: {},
      inputs: [],
      container: {
        id: `bench${++runs}`,
        image: { archivePath, sha256, digest: null },
        entrypoint: null,
        egress: false,
        gpus: 0,
        service: null,
      },
    }))
    const least = firstByte(createWasiExecutor({ clock: realClock, log: silentLog }), () => ({
      modulePath,
      args: [],
      env: {},
      inputs: [],
    }))
    const nothing = async (): Promise<number> => {
      const startMs = performance.now()
      await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit')
      return performance.now() - startMs
    }
    try {
      // The first loads the image.
      await contained()
      const figures = await alternate(rounds, { contained, least, nothing })
      return [
        pairedRow(name, 'ms', nothingName, pair(figures.contained, figures.nothing)),
        pairedRow(name, 'ms', leastName, pair(figures.contained, figures.least)),
        pairedRow(leastName, 'ms', nothingName, pair(figures.least, figures.nothing)),
      ]
    } finally {
      await containers.sweep(new Set(), signal)
    }
  },
}

/** An OCI image layout in a tar (image-spec 1.1) with that one program. */
function imageOf(shell: Uint8Array): Buffer {
  const layer = Buffer.concat([executableEntry(shellPath.slice(1), shell), tarEnd])
  const blobs: Uint8Array[] = []
  const described = (mediaType: string, bytes: Uint8Array) => {
    blobs.push(bytes)
    const type = `application/vnd.oci.image.${mediaType}`
    return { mediaType: type, digest: `sha256:${sha256Hex(bytes)}`, size: bytes.byteLength }
  }
  const layers = [described('layer.v1.tar', layer)]
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch
  const config = described(
    'config.v1+json',
    jsonOf({
      architecture,
      os: 'linux',
      config: { Entrypoint: [shellPath] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
    }),
  )
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = described('manifest.v1+json', jsonOf({ schemaVersion: 2, mediaType, config, layers }))
  const files = [
    { path: 'oci-layout', bytes: jsonOf({ imageLayoutVersion: '1.0.0' }) },
    { path: 'index.json', bytes: jsonOf({ schemaVersion: 2, manifests: [manifest] }) },
    ...blobs.map((bytes) => ({ path: `blobs/sha256/${sha256Hex(bytes)}`, bytes })),
  ]
  const entries = files.flatMap(({ path, bytes }) => [
    encodeEntry({ kind: 'file', path, bytes: bytes.byteLength }),
    bytes,
    new Uint8Array(paddingBytes(bytes.byteLength)),
  ])
  return Buffer.concat([...entries, tarEnd])
}

function jsonOf(value: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
