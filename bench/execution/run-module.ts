/**
 * Runs one program in this process, as the task's child does, and says on stderr how long it took: with the counter of gas, without it,
 * or with canonical NaNs as well.
 *
 *   node run-module.ts raw|metered|canonical MODULE [INPUT] -- [ARG …]
 *
 * Its stdout is the program's. INPUT is its standard input and /in/input.
 */
import { openSync, readFileSync, fstatSync } from 'node:fs'

import { Budget, type End } from '../../src/execution/child/budget.ts'
import { Gas } from '../../src/execution/child/gas.ts'
import { Imports, wasiModule } from '../../src/execution/child/imports.ts'
import { buildTree } from '../../src/execution/child/inputs.ts'
import { link } from '../../src/execution/child/instance.ts'
import { HeldFile, LentFile } from '../../src/execution/child/nodes.ts'
import { OpenFile, OutputStream } from '../../src/execution/child/open-file.ts'
import { OpenFolder } from '../../src/execution/child/open-folder.ts'
import { wasm } from '../../src/execution/child/web-assembly.ts'
import { machineWorld } from '../../src/execution/child/world.ts'
import { prepareModule } from '../../src/execution/wasm/prepare.ts'

const bytesMax = 2 ** 31
/** Time that this thread has had of a processor: what others do meanwhile is not in it, nor the engine's compilers. */
const threadMs = (): number => {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
const [mode = '', modulePath = '', ...rest] = process.argv.slice(2)
const [inputPath] = rest[0] === '--' ? [] : rest
const args = rest.slice(rest.indexOf('--') + 1)
const bytes = new Uint8Array(readFileSync(modulePath))
let beganMs = 0
let gas: Gas | undefined

const end: End = (reason, detail) => {
  process.stderr.write(`${reason}: ${detail}\n`)
  process.exit(1)
}
const exit = (code: number): never => {
  const ranMs = threadMs() - beganMs
  process.stderr.write(`\n${JSON.stringify({ code, ranMs, preparedMs, gas: gas?.used ?? 0 })}\n`)
  process.exit(0)
}

const budget = new Budget({ memoryBytes: bytesMax, outputBytes: bytesMax, logBytes: bytesMax }, end)
const input = inputPath === undefined ? undefined : openSync(inputPath, 'r')
const inputs = input === undefined ? [] : [{ kind: 'file' as const, guestPath: '/in/input', descriptor: input }]
const stdin = input === undefined ? new HeldFile(budget) : new LentFile(input, 0, fstatSync(input).size)
const tree = buildTree(inputs, budget)
const imports = new Imports({
  args: ['program', ...args],
  env: [],
  descriptors: [
    new OpenFile(stdin, 0, false),
    new OutputStream(1, budget),
    new OutputStream(2, budget),
    new OpenFolder(tree.root, budget, '/'),
  ],
  end,
  exit,
  world: machineWorld,
  takeGas: (amount) => gas?.take(amount),
})
const preparing = performance.now()
const prepared =
  mode === 'raw' ? undefined : prepareModule(bytes, { memoryBytesMax: bytesMax, canonicalNaNs: mode === 'canonical' })
const preparedMs = performance.now() - preparing
const module = new wasm.Module(prepared?.bytes ?? bytes)
if (prepared === undefined) {
  const { exports } = new wasm.Instance(module, { [wasiModule]: { ...imports.functions } })
  imports.attach({ memory: exports['memory'] as never })
  beganMs = threadMs()
  ;(exports['_start'] as () => void)()
} else {
  gas = new Gas(Number.MAX_SAFE_INTEGER, end, () => {})
  const program = link(module, { imports, names: prepared.names, gas, end })
  beganMs = threadMs()
  program.run()
}
exit(0)
