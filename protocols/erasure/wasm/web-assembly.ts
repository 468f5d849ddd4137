/** The part of the WebAssembly JavaScript interface that is used here. TypeScript knows it only together with all of the DOM. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer
}

/** Compiled code. */
export interface Module {
  readonly [brand]: never
}

declare const brand: unique symbol

interface WebAssemblyApi {
  validate(bytes: Uint8Array): boolean
  readonly Module: new (bytes: Uint8Array) => Module
  readonly Instance: new (module: Module, imports: object) => { readonly exports: object }
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => SharedMemory
}

/** Undefined in an engine that may not make machine code. */
export const wasm = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi | undefined }).WebAssembly

export const wasmPageBytes = 65_536

/** So many bytes, or a few more, that threads share. They begin where a page of the system begins, unless the engine may not make machine code. */
export function allocateShared(bytes: number): SharedMemory | SharedArrayBuffer {
  const pages = Math.ceil(bytes / wasmPageBytes)
  return wasm === undefined
    ? new SharedArrayBuffer(pages * wasmPageBytes)
    : new wasm.Memory({ initial: pages, maximum: pages, shared: true })
}
