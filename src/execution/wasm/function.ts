/** Writes a function again with what its marks say put in. */
import { encodeUnsigned, type BinaryReader } from './binary.ts'
import type { Blocks } from './blocks.ts'
import { growPageGasLog2 } from './costs.ts'
import { canonicalCode } from './floats.ts'
import { mark } from './marks.ts'
import { skipValueType } from './types.ts'
import type { BinaryWriter } from './writer.ts'

/** Of the module that is being written. */
export interface MeterPlaces {
  /** The global that holds the gas that is left. */
  readonly gasGlobal: number
  /** Pages that the memory may have. */
  readonly pagesMax: number
}

/** In the place of the gas that is left: memory.grow was refused below the memory's maximum. */
export const growRefused = -(2n ** 63n)
const growRefusedCode = [0x42, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f]

const op = {
  unreachable: 0x00,
  if: [0x04, 0x40],
  end: 0x0b,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: [0x3f, 0x00],
  i32Const: 0x41,
  i64Const: 0x42,
  i32Equal: 0x46,
  i64LessSigned: 0x53,
  i64LessOrEqualUnsigned: 0x58,
  i64Add: 0x7c,
  i64Subtract: 0x7d,
  i64ShiftLeft: 0x86,
  i64ShiftRightUnsigned: 0x88,
  i64ExtendUnsigned: 0xad,
} as const

/** Locals that the inserted instructions need, each at most once a function. */
const locals = [
  { name: 'gas', type: 0x7e },
  { name: 'count', type: 0x7f },
  { name: 'grown', type: 0x7f },
  { name: 'float32', type: 0x7d },
  { name: 'float64', type: 0x7c },
  { name: 'vector', type: 0x7b },
] as const

type LocalName = (typeof locals)[number]['name']

const neededBy: Readonly<Record<number, readonly LocalName[]>> = {
  [mark.check]: ['gas'],
  [mark.entryCheck]: ['gas'],
  [mark.bulk]: ['gas', 'count'],
  [mark.grow]: ['gas', 'count'],
  [mark.grown]: ['count', 'grown'],
  [mark.float32]: ['float32'],
  [mark.float64]: ['float64'],
  [mark.float32x4]: ['vector'],
  [mark.float64x2]: ['vector'],
}

/** What the engine itself takes. */
const localsMax = 50_000
const bodyBytesMax = 7_654_321

export class FunctionWriter {
  readonly #source: Uint8Array
  readonly #writer: BinaryWriter
  readonly #blocks: Blocks
  readonly #places: MeterPlaces
  readonly #getGas: readonly number[]
  readonly #setGas: readonly number[]
  /** Whether the function keeps the counter in a local. */
  #local = false

  constructor(source: Uint8Array, writer: BinaryWriter, blocks: Blocks, places: MeterPlaces) {
    this.#source = source
    this.#writer = writer
    this.#blocks = blocks
    this.#places = places
    const global = encodeUnsigned(places.gasGlobal)
    this.#getGas = [op.globalGet, ...global]
    this.#setGas = [op.globalSet, ...global]
  }

  /** `body`: locals and instructions, as in the code section after their size. */
  write(body: BinaryReader, parameters: number): void {
    if (body.end - body.at > bodyBytesMax) throw new RangeError(`a function has more than ${bodyBytesMax} bytes`)
    const groups = body.count()
    const groupsAt = body.at
    let declared = parameters
    for (let group = 0; group < groups; group++) {
      declared += body.unsigned()
      if (declared > localsMax) throw new RangeError(`a function has more than ${localsMax} locals`)
      skipValueType(body)
    }
    const codeAt = body.at
    this.#blocks.read(body)
    this.#local = this.#blocks.keepsLocal
    const kinds = new Set(this.#blocks.kind)
    const needed = new Set([...kinds].flatMap((one) => neededBy[one] ?? []))
    if (this.#local) needed.add('gas')
    const added = locals.filter(({ name }) => needed.has(name))
    const index = (name: LocalName): readonly number[] =>
      encodeUnsigned(declared + added.findIndex((local) => local.name === name))

    const writer = this.#writer
    const sizeAt = writer.openSize()
    writer.unsigned(groups + added.length)
    writer.copy(this.#source, groupsAt, codeAt)
    for (const { type } of added) writer.all([1, type])
    let copied = codeAt
    const { at, kind, amount } = this.#blocks
    for (let place = 0; place < at.length; place++) {
      if (this.#isIdle(kind[place]!, amount[place]!)) continue
      writer.copy(this.#source, copied, at[place]!)
      copied = at[place]!
      this.#put(kind[place]!, amount[place]!, index)
    }
    writer.copy(this.#source, copied, body.end)
    writer.closeSize(sizeAt)
  }

  /** Nothing is to be put in. */
  #isIdle(kind: number, amount: number): boolean {
    if (kind === mark.flush || kind === mark.reload) return !this.#local
    return amount === 0 && (kind === mark.charge || (kind === mark.entry && !this.#local))
  }

  #put(kind: number, amount: number, index: (name: LocalName) => readonly number[]): void {
    const writer = this.#writer
    const local = this.#local ? index('gas') : undefined
    // At the entry of a function the counter is always in the global.
    const get = local === undefined ? this.#getGas : [op.localGet, ...local]
    const set = local === undefined ? this.#setGas : [op.localSet, ...local]
    switch (kind) {
      case mark.entry:
      case mark.charge:
        writer.all(kind === mark.entry ? this.#getGas : get)
        writer.byte(op.i64Const)
        writer.signed(amount)
        writer.byte(op.i64Subtract)
        return writer.all(set)
      case mark.entryCheck:
      case mark.check:
        writer.all(kind === mark.entryCheck ? this.#getGas : get)
        writer.byte(op.i64Const)
        writer.signed(amount)
        return this.#subtractAndLook(index('gas'))
      case mark.flush:
        writer.all(get)
        return writer.all(this.#setGas)
      case mark.reload:
        writer.all(this.#getGas)
        return writer.all(set)
      case mark.bulk:
      case mark.grow:
        writer.all([op.localSet, ...index('count'), ...get])
        writer.all([op.localGet, ...index('count'), op.i64ExtendUnsigned, op.i64Const])
        writer.signed(kind === mark.grow ? growPageGasLog2 : amount)
        writer.byte(kind === mark.grow ? op.i64ShiftLeft : op.i64ShiftRightUnsigned)
        this.#subtractAndLook(index('gas'))
        return writer.all([op.localGet, ...index('count')])
      case mark.grown:
        return this.#lookAtGrown(index('count'), index('grown'))
      case mark.float32:
        return writer.all(canonicalCode(kind, index('float32')))
      case mark.float64:
        return writer.all(canonicalCode(kind, index('float64')))
      default:
        return writer.all(canonicalCode(kind, index('vector')))
    }
  }

  /** On the stack: the gas that was left and what is charged. */
  #subtractAndLook(gas: readonly number[]): void {
    const writer = this.#writer
    writer.all([op.i64Subtract, op.localTee, ...gas])
    // The host reads the global to know why the program trapped.
    if (!this.#local) writer.all([...this.#setGas, op.localGet, ...gas])
    writer.all([op.i64Const, 0, op.i64LessSigned, ...op.if])
    if (this.#local) writer.all([op.localGet, ...gas, ...this.#setGas])
    writer.all([op.unreachable, op.end])
  }

  /** On the stack: what memory.grow gave, which stays there. -1 although there was room is the machine's fault. */
  #lookAtGrown(count: readonly number[], grown: readonly number[]): void {
    const writer = this.#writer
    writer.all([op.localTee, ...grown, op.i32Const, 0x7f, op.i32Equal, ...op.if])
    writer.all([...op.memorySize, op.i64ExtendUnsigned, op.localGet, ...count, op.i64ExtendUnsigned, op.i64Add])
    writer.byte(op.i64Const)
    writer.signed(this.#places.pagesMax)
    writer.all([op.i64LessOrEqualUnsigned, ...op.if, ...growRefusedCode, ...this.#setGas, op.unreachable])
    writer.all([op.end, op.end, op.localGet, ...grown])
  }
}
