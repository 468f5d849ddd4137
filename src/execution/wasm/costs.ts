/**
 * What gas an instruction costs. One a piece, with the few exceptions below, which take a processor much longer than the
 * others. **Fixed**: prices, limits and receipts of different peers are compared by this table, so another table is
 * another version of the engine.
 */

/** But nothing for what no processor executes: block, loop, else, try, catch, end, delegate, try_table, nop. */
export const ordinaryCost = 1
/** Integer division and remainder, square root: ten to forty times an addition. */
export const divisionCost = 8
/** A call: frame, arguments, the check of the stack. */
export const callCost = 4
/** A call by table or reference, whose target and type are looked up. */
export const indirectCallCost = 8
/** An exception thrown: the runtime unwinds. */
export const throwCost = 256
/** Every bulk operation leaves the program for the runtime; what it moves comes on top. */
export const bulkCost = 16
/** Bytes that memory.copy, memory.fill and memory.init move for one gas, as a power of two. */
export const bulkBytesLog2 = 4
/** Entries that table.copy, table.fill, table.init and table.grow touch for one gas, as a power of two. */
export const bulkEntriesLog2 = 0
/** Gas per page that memory.grow asks for, granted or not, as a power of two: the machine must clear 64 KiB. */
export const growPageGasLog2 = 10

/** A call of a function of the host, whatever it does. */
export const hostCallCost = 256
/** Bytes moved between program and host for one gas. */
export const hostBytesPerGas = 4
