/** The child's open files, by number. Agreed between ../launch.ts, which opens them, and the child. */

/** The child's code and its task, as JSON (../child-code.ts). */
export const taskDescriptor = 0
export const stdoutDescriptor = 1
export const stderrDescriptor = 2
/** The record of how it ended, as JSON. */
export const recordDescriptor = 3
/** The tar of /out. */
export const outputsDescriptor = 4
/** The supervisor's own, not the child's (../supervisor.ts). */
export const supervisorDescriptor = 5
/** The program. The standard input and the inputs follow. */
export const moduleDescriptor = 6
