/** A WASI program that uses everything that a job can bring: arguments, environment, stdin, files, outputs, exit code. */
import { program } from '../fixtures/programs.ts'
import { op, sequence, type Code } from '../../sim/programs/wasm-builder.ts'

type Call = Parameters<Parameters<typeof program>[0]>[0]

const numberAt = 0
const readFrom = 8
const writeTo = 12
const vectorAt = 16
const textAt = 1_024
const bufferAt = 4_096
const bufferBytes = 32_768
const preopened = 3

const store = (at: number, value: number): Code => sequence(op.i32(at), op.i32(value), op.store())
const descriptorAt = (at: number): Code => sequence(op.i32(at), op.load())

interface Text {
  readonly at: number
  readonly bytes: number
}

const write = (call: Call, descriptor: Code, { at, bytes }: Text): Code =>
  sequence(store(vectorAt, at), store(vectorAt + 4, bytes), writeVector(call, descriptor))

const writeVector = (call: Call, descriptor: Code): Code =>
  sequence(descriptor, op.i32(vectorAt), op.i32(1), op.i32(numberAt), call('fd_write'), op.drop)

const open = (call: Call, { at, bytes }: Text, kind: 'read' | 'make', into: number): Code => {
  const rights = kind === 'read' ? 0x2n : 0x42n
  const where = sequence(op.i32(preopened), op.i32(0), op.i32(at), op.i32(bytes))
  const what = sequence(op.i32(kind === 'read' ? 0 : 1), op.i64(rights), op.i64(rights), op.i32(0), op.i32(into))
  return sequence(where, what, call('path_open'), op.ifThen(op.unreachable))
}

/** Copies a descriptor to another until it is at its end. */
const copies = (call: Call, from: Code, to: Code): Code =>
  op.block(
    op.loop(
      store(vectorAt, bufferAt),
      store(vectorAt + 4, bufferBytes),
      sequence(from, op.i32(vectorAt), op.i32(1), op.i32(numberAt), call('fd_read'), op.branchIf(1)),
      sequence(op.i32(numberAt), op.load(), op.eqz, op.branchIf(1)),
      sequence(op.i32(vectorAt + 4), op.i32(numberAt), op.load(), op.store()),
      writeVector(call, to),
      op.branch(0),
    ),
  )

const dump = (call: Call, what: 'args' | 'environ'): Code =>
  sequence(
    sequence(op.i32(numberAt), op.i32(writeTo), call(`${what}_sizes_get`), op.drop),
    sequence(op.i32(textAt / 2), op.i32(bufferAt), call(`${what}_get`), op.drop),
    store(vectorAt, bufferAt),
    sequence(op.i32(vectorAt + 4), op.i32(writeTo), op.load(), op.store()),
    writeVector(call, op.i32(1)),
  )

/**
 * Prints its arguments and environment (each with its closing zero byte), its standard input and /in/small; copies /in/large to
 * /out/copy and `said` to /out/note; says `said` on stderr; exits with `code`.
 */
export const everything = (code: number, said: string): Uint8Array => {
  const texts: Text[] = []
  let text = ''
  const textOf = (piece: string): Text => {
    const found = { at: textAt + text.length, bytes: piece.length }
    texts.push(found)
    text += piece
    return found
  }
  const [small, large, copy, note, words] = ['in/small', 'in/large', 'out/copy', 'out/note', said].map(textOf)
  return program(
    (call) => [
      dump(call, 'args'),
      dump(call, 'environ'),
      copies(call, op.i32(0), op.i32(1)),
      open(call, small!, 'read', readFrom),
      copies(call, descriptorAt(readFrom), op.i32(1)),
      open(call, large!, 'read', readFrom),
      open(call, copy!, 'make', writeTo),
      copies(call, descriptorAt(readFrom), descriptorAt(writeTo)),
      open(call, note!, 'make', writeTo),
      write(call, descriptorAt(writeTo), words!),
      write(call, op.i32(2), words!),
      sequence(op.i32(code), call('proc_exit')),
    ],
    { text },
  )
}
