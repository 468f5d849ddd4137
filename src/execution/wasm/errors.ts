/** Why a module is not run. */

/** The module cannot be run by us: malformed, or of a kind that this executor does not take. */
export class ModuleInvalidError extends Error {
  override readonly name = 'ModuleInvalidError'
}

/** The module asks at its start for more memory than it may use at all. */
export class ModuleTooLargeError extends Error {
  override readonly name = 'ModuleTooLargeError'
  readonly memoryBytesWanted: number
  readonly memoryBytesMax: number

  constructor(memoryBytesWanted: number, memoryBytesMax: number) {
    super(`the program wants ${memoryBytesWanted} bytes of memory at its start and may use ${memoryBytesMax}`)
    this.memoryBytesWanted = memoryBytesWanted
    this.memoryBytesMax = memoryBytesMax
  }
}
