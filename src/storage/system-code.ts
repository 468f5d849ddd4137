/** `ENOENT`, `ENOSPC` and so on; undefined for an error that is not the system's. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** What came of it; undefined when the system did not let us: for what can be done without. */
export async function ifTheSystemLets<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work()
  } catch (error) {
    if (systemCode(error) === undefined) throw error
    return undefined
  }
}
