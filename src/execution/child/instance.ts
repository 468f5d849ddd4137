/** From the bytes of a module to a program that can be started: prepared, compiled, linked with what it imports. */
import type { End } from './budget.ts'
import type { Gas, GasGlobal } from './gas.ts'
import { wasiModule, type Imports, type ProgramMemory } from './imports.ts'
import { wasm, type Module } from './web-assembly.ts'
import { ModuleInvalidError, ModuleTooLargeError } from '../wasm/errors.ts'
import { prepareModule, type PreparedModule, type PrepareOptions, type PrivateNames } from '../wasm/prepare.ts'

export interface Program extends ProgramMemory {
  /** Runs what the module wants to run first, and then the program. */
  readonly run: () => void
}

export function prepare(bytes: Uint8Array, options: PrepareOptions, end: End): PreparedModule {
  try {
    return prepareModule(bytes, options)
  } catch (error) {
    if (error instanceof ModuleInvalidError) return end('module-invalid', error.message)
    if (error instanceof ModuleTooLargeError) return end('memory-limit', error.message)
    throw error
  }
}

export function compile(bytes: Uint8Array, end: End): Module {
  try {
    return new wasm.Module(bytes)
  } catch (error) {
    if (error instanceof wasm.CompileError) return end('module-invalid', error.message)
    throw error
  }
}

export function refuseUnknownImports(module: Module, { functions }: Imports, end: End): void {
  for (const { module: from, name } of wasm.Module.imports(module)) {
    if (from !== wasiModule || !Object.hasOwn(functions, name)) {
      end('module-invalid', `the program imports ${from}.${name}, and only functions of ${wasiModule} are provided`)
    }
  }
}

export interface Linked {
  readonly imports: Imports
  readonly names: PrivateNames
  readonly gas: Gas
  readonly end: End
}

/** Throws as the engine does. Nothing of the program has run yet when it returns. */
export function link(module: Module, { imports, names, gas, end }: Linked): Program {
  const instance = new wasm.Instance(module, { [wasiModule]: { ...imports.functions } })
  const { memory, _start: start } = instance.exports
  if (!(memory instanceof wasm.Memory)) return end('module-invalid', 'the program exports no memory named memory')
  if (typeof start !== 'function')
    return end('module-invalid', 'the program exports no function named _start: a library, perhaps')
  gas.attach(instance.exports[names.gas] as GasGlobal)
  imports.attach({ memory })
  const first = names.start === null ? undefined : (instance.exports[names.start] as () => void)
  return {
    memory,
    run() {
      first?.()
      ;(start as () => void)()
    },
  }
}
