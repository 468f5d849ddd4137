/**
 * The same program without pleach: the module under Node's own WASI, another implementation than the one that jobs run in, over
 * the same file on the disk. What it prints and writes is what a job must give back, byte for byte.
 *
 * Started as a process of its own, because a WASI program ends the process that it runs in:
 * `node sim/demo/direct.ts MODULE IN-FOLDER OUT-FOLDER -- ARGS`.
 */
import { readFile } from 'node:fs/promises'
import { WASI } from 'node:wasi'

const [modulePath, inFolder, outFolder, , ...args] = process.argv.slice(2)
const wasi = new WASI({
  version: 'preview1',
  args: [modulePath!, ...args],
  env: {},
  preopens: { '/in': inFolder!, '/out': outFolder! },
})
// TypeScript's library knows WebAssembly only together with the DOM: this is all that is used of it.
const { WebAssembly: wasm } = globalThis as unknown as {
  WebAssembly: { instantiate(module: Uint8Array, imports: object): Promise<{ instance: object }> }
}
const { instance } = await wasm.instantiate(await readFile(modulePath!), wasi.getImportObject())
process.exitCode = wasi.start(instance)
