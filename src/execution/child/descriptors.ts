/** The child's open files, by number. Agreed between ../launch.ts, which opens them, and the child. */

/** The child's code and its task, as JSON (../child-code.ts). */
export const taskDescriptor = 0
export const stdoutDescriptor = 1
export const stderrDescriptor = 2
/** The record of how it ended, as JSON. */
export const recordDescriptor = 3
/** The tar of /out. */
export const outputsDescriptor = 4
/** Held by the watchdog alone: it closes when the peer is gone. */
export const watchDescriptor = 5
/** The program. The standard input and the inputs follow. */
export const moduleDescriptor = 6
