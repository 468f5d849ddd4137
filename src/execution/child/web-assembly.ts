/** The part of the WebAssembly JavaScript interface that is used here. TypeScript knows it only together with all of the DOM. */
export interface Memory {
  readonly buffer: ArrayBuffer
}

export interface Module {
  readonly [brand]: 'module'
}

export interface Instance {
  readonly exports: Readonly<Record<string, unknown>>
}

declare const brand: unique symbol

interface WebAssemblyApi {
  readonly Module: {
    new (bytes: Uint8Array): Module
    imports(module: Module): { readonly module: string; readonly name: string; readonly kind: string }[]
  }
  readonly Instance: new (
    module: Module,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => Instance
  readonly Memory: new (...none: never[]) => Memory
  readonly CompileError: new () => Error
  readonly LinkError: new () => Error
  readonly RuntimeError: new () => Error
  readonly Exception: new () => object
}

export const wasm = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly
