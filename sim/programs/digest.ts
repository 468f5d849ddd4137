/** The program of the simulator's jobs: it reads all of its standard input, waits a while, and leaves four bytes of it in /out/digest. */
import {
  create,
  eventAt,
  numberAt,
  open,
  opened,
  program,
  readAndWrite,
  store,
  subscriptionAt,
  vectorAt,
  write,
  type Call,
} from './wasi-program.ts'
import { op, sequence, type Code } from './wasm-builder.ts'

const path = 'out/digest'
export const digestPath = 'digest'
const bufferAt = 65_536
const bufferBytes = 65_536
/** Of FNV-1a with 32 bits (Fowler, Noll, Vo). */
const offsetBasis = 0x811c9dc5
const prime = 0x01000193

const [hash, at] = [0, 1]
const xor = [0x73]
const multiply = [0x6c]
const loadByte = [0x2d, 0x00, 0x00]
const lessThan = [0x49]

/** Reads on until there is nothing more, and takes in each byte. */
const digest = (call: Call): Code =>
  op.block(
    op.loop(
      store(vectorAt, bufferAt),
      store(vectorAt + 4, bufferBytes),
      sequence(op.i32(0), op.i32(vectorAt), op.i32(1), op.i32(numberAt), call('fd_read'), op.branchIf(1)),
      sequence(op.i32(numberAt), op.load(), op.eqz, op.branchIf(1)),
      sequence(op.i32(0), op.set(at)),
      op.loop(
        sequence(
          op.get(hash),
          op.i32(bufferAt),
          op.get(at),
          op.add,
          loadByte,
          xor,
          op.i32(prime),
          multiply,
          op.set(hash),
        ),
        sequence(op.get(at), op.i32(1), op.add, op.set(at)),
        sequence(op.get(at), op.i32(numberAt), op.load(), lessThan, op.branchIf(0)),
      ),
      op.branch(0),
    ),
  )

const waits = (call: Call, ms: number): Code =>
  sequence(
    store(subscriptionAt + 16, 1),
    sequence(op.i32(subscriptionAt), op.i64(BigInt(ms) * 1_000_000n), op.store64(24)),
    sequence(op.i32(subscriptionAt), op.i32(eventAt), op.i32(1), op.i32(numberAt + 4), call('poll_oneoff'), op.drop),
  )

/** The module: it waits `workMs`, which costs the machine nothing. */
export function digestProgram(workMs: number): Uint8Array {
  return program(
    (call) => [
      sequence(op.i32(offsetBasis), op.set(hash)),
      digest(call),
      waits(call, workMs),
      sequence(op.i32(eventAt), op.get(hash), op.store()),
      sequence(open(call, path, create, readAndWrite), op.drop),
      sequence(write(call, opened, eventAt, 4), op.drop),
    ],
    { text: path, locals: ['i32', 'i32'], pagesMin: 2 },
  )
}

/** What the program leaves, of this input. */
export function digestOf(input: Uint8Array): Uint8Array {
  let value = offsetBasis
  for (const byte of input) value = Math.imul(value ^ byte, prime)
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setInt32(0, value, true)
  return bytes
}
