/**
 * Where in a function gas is charged, and how much: reads a body once and keeps a list of marks, each at a byte offset.
 *
 * A *charge* stands where a stretch of instructions begins that are executed together. Such a stretch is more than a basic
 * block: what follows a construct (`block`, `if`, `loop`) belongs to the stretch before it when nothing inside can leave
 * beyond the construct's end, for then it is executed whenever the construct is entered. So the arms of an `if` are charged
 * by themselves and what comes after it together with what came before. What a trap, an exception of a function that is
 * called, or the end of the program within a stretch leaves unexecuted stays charged.
 *
 * What is written here holds for functions of the program; a call of the host looks as well (child/gas.ts).
 *
 * Only charges at the head of a loop and at the entry of a function that calls others look whether gas is left. Between two looks
 * every instruction is executed at most once, so a program is over its gas by less than one pass through its functions.
 */
import type { BinaryReader } from './binary.ts'
import { bulkBytesLog2, bulkCost, bulkEntriesLog2, callCost, indirectCallCost, ordinaryCost } from './costs.ts'
import { canonicalMark, canonicalVectorMark, hidesNaN } from './floats.ts'
import { mark } from './marks.ts'
import {
  costOf,
  costOfVector,
  miscellaneous,
  opcode,
  refusal,
  skipMiscellaneous,
  skipOperands,
  skipVector,
} from './operators.ts'
import { skipBlockType } from './types.ts'

/** Nested constructs of one function. The engine's own validator works with a stack like ours. */
const depthMax = 100_000
const none = -1
/** How much more often than what is around it a loop is guessed to be executed. */
const loopWeight = 8

interface Frame {
  /** The opcode that began it, or the arm that it is in. */
  code: number
  /** The charge that what follows the construct belongs to, if nothing leaves it. */
  readonly charge: number
  /** Whether it stands where nothing is ever executed. */
  readonly dead: boolean
  /** The outermost construct, by its place in the stack, that something inside branches to. */
  leavesTo: number
  /** What follows is never part of the stretch before. */
  apart: boolean
  /** Its end is reached: by a branch, or by an arm that ends. */
  reached: boolean
}

/** The marks of one function, in order of their offsets. Used again for each function: read them before the next. */
export class Blocks {
  readonly at: number[] = []
  readonly kind: number[] = []
  readonly amount: number[] = []
  readonly #canonical: boolean
  readonly #isImport: (functionIndex: number) => boolean
  #frames: Frame[] = []
  #charge = none
  #dead = false
  #calls = false
  #handles = false
  /** How often things are done, guessed: each loop around them counts. */
  #weight = 1
  #chargeWeight = 0
  #callWeight = 0

  /** `canonical`: whether NaNs are made canonical as well. */
  constructor(canonical: boolean, isImport: (functionIndex: number) => boolean) {
    this.#canonical = canonical
    this.#isImport = isImport
  }

  /**
   * Whether the function does better to keep the counter in a local, which the engine keeps in a register, than to change
   * the global each time: then it must write it back before every call and read it again after. Measured, for Lua and CPython
   * the best rule of several (README). Where an exception may come back to, the local would be out of date.
   */
  get keepsLocal(): boolean {
    return !this.#handles && this.#chargeWeight > 2 * this.#callWeight + 1
  }

  /** `body`: the instructions of a function, after its locals. Throws RangeError or ModuleInvalidError. */
  read(body: BinaryReader): void {
    this.at.length = this.kind.length = this.amount.length = 0
    this.#frames = []
    this.#dead = this.#calls = this.#handles = false
    this.#weight = 1
    this.#chargeWeight = this.#callWeight = 0
    this.#begin(body.at, mark.entryCheck)
    this.#push(opcode.block)
    while (this.#frames.length > 0) this.#step(body)
    body.expectEnd()
    if (!this.#calls) this.kind[0] = mark.entry
  }

  #step(body: BinaryReader): void {
    const start = body.at
    const code = body.byte()
    switch (code) {
      case opcode.nop:
        return
      case opcode.block:
        skipBlockType(body)
        return this.#push(code)
      case opcode.loop:
        skipBlockType(body)
        this.#push(code)
        this.#weight *= loopWeight
        return this.#begin(body.at, mark.check)
      case opcode.if:
        skipBlockType(body)
        this.#cost(ordinaryCost)
        this.#push(code)
        return this.#begin(body.at)
      case opcode.try:
        skipBlockType(body)
        this.#push(code)
        this.#top.apart = true
        this.#handles = true
        return this.#begin(body.at)
      case opcode.tryTable:
        return this.#tryTable(body)
      case opcode.else:
        return this.#arm(body, opcode.if, code)
      case opcode.catch:
        body.skipNumber(5)
        return this.#arm(body, opcode.try, code)
      case opcode.catchAll:
        return this.#arm(body, opcode.try, code)
      case opcode.delegate:
        body.skipNumber(5)
        return this.#end(body)
      case opcode.end:
        if (this.#frames.length === 1) this.#mark(start, mark.flush, 0)
        return this.#end(body)
      case opcode.branch:
        this.#cost(ordinaryCost)
        this.#leave(body.unsigned(), start)
        return this.#die()
      case opcode.branchIf:
      case opcode.branchOnNull:
      case opcode.branchOnNonNull:
        this.#cost(ordinaryCost)
        this.#leave(body.unsigned(), start)
        return this.#begin(body.at)
      case opcode.branchTable:
        this.#cost(ordinaryCost)
        for (let targets = body.count() + 1; targets > 0; targets--) this.#leave(body.unsigned(), start)
        return this.#die()
      case opcode.return:
        this.#cost(ordinaryCost)
        return this.#leaveFunction(start)
      case opcode.throw:
      case opcode.rethrow:
      case opcode.throwRef:
        skipOperands(body, code)
        this.#cost(costOf(code))
        return this.#leaveFunction(start)
      case opcode.unreachable:
        this.#cost(ordinaryCost)
        this.#mark(start, mark.flush, 0)
        return this.#die()
      case opcode.call:
      case opcode.returnCall: {
        const callee = body.unsigned()
        this.#calls ||= !this.#isImport(callee)
        this.#cost(callCost)
        if (code === opcode.returnCall) return this.#leaveFunction(start)
        return this.#around(start, body.at)
      }
      case opcode.callIndirect:
      case opcode.returnCallIndirect:
        body.skipNumber(5)
        body.skipNumber(5)
        return this.#callIndirect(code === opcode.returnCallIndirect, start, body.at)
      case opcode.callRef:
      case opcode.returnCallRef:
        body.skipNumber(5)
        return this.#callIndirect(code === opcode.returnCallRef, start, body.at)
      case opcode.memoryGrow:
        skipOperands(body, code)
        this.#cost(bulkCost)
        this.#mark(start, mark.grow, 0)
        return this.#mark(body.at, mark.grown, 0)
      case opcode.miscellaneous:
        return this.#miscellaneous(body, start)
      case opcode.vector: {
        const second = body.unsigned()
        skipVector(body, second)
        this.#cost(costOfVector(second))
        if (this.#canonical) this.#markNaN(body, canonicalVectorMark(second))
        return
      }
      case opcode.garbageCollected:
      case opcode.atomic:
        throw refusal(code)
      default:
        skipOperands(body, code)
        this.#cost(costOf(code))
        if (this.#canonical) this.#markNaN(body, canonicalMark(code))
    }
  }

  #miscellaneous(body: BinaryReader, start: number): void {
    const code = body.unsigned()
    skipMiscellaneous(body, code)
    if (code <= miscellaneous.truncationMax) return this.#cost(ordinaryCost)
    this.#cost(bulkCost)
    switch (code) {
      case miscellaneous.memoryInit:
      case miscellaneous.memoryCopy:
      case miscellaneous.memoryFill:
        return this.#mark(start, mark.bulk, bulkBytesLog2)
      case miscellaneous.tableInit:
      case miscellaneous.tableCopy:
      case miscellaneous.tableGrow:
      case miscellaneous.tableFill:
        return this.#mark(start, mark.bulk, bulkEntriesLog2)
    }
  }

  /** Others see the counter during a call, and change it. */
  #around(start: number, end: number): void {
    this.#callWeight += this.#weight
    this.#mark(start, mark.flush, 0)
    this.#mark(end, mark.reload, 0)
  }

  #callIndirect(returns: boolean, start: number, end: number): void {
    this.#calls = true
    this.#cost(indirectCallCost)
    if (returns) this.#leaveFunction(start)
    else this.#around(start, end)
  }

  /** Its handlers' labels are those around it: it is no target of its own handlers. */
  #tryTable(body: BinaryReader): void {
    skipBlockType(body)
    this.#handles = true
    let caught = false
    for (let count = body.count(); count > 0; count--) {
      // catch, catch_ref, catch_all, catch_all_ref: the first two name a tag.
      const form = body.byte()
      if (form > 0x03) throw new RangeError(`unknown handler ${form}, at byte ${body.at}`)
      if (form <= 0x01) body.skipNumber(5)
      this.#leave(body.unsigned(), body.at)
      caught = true
    }
    this.#push(opcode.tryTable)
    this.#top.apart = caught
  }

  /** `else`, `catch`: the arm before is over, and another begins. */
  #arm(body: BinaryReader, of: number, code: number): void {
    const frame = this.#top
    if (frame.code !== of && !(frame.code === opcode.catch && code !== opcode.else)) {
      throw new RangeError(`an arm without its construct, at byte ${body.at}`)
    }
    frame.reached ||= !this.#dead
    frame.code = code
    this.#dead = frame.dead
    this.#begin(body.at)
  }

  #end(body: BinaryReader): void {
    const frame = this.#frames.pop()!
    if (frame.code === opcode.loop) this.#weight /= loopWeight
    // An `if` without `else` has a second arm that does nothing.
    const reached = frame.reached || !this.#dead || frame.code === opcode.if
    this.#dead = frame.dead || !reached
    const depth = this.#frames.length
    if (depth === 0) return
    this.#top.leavesTo = Math.min(this.#top.leavesTo, frame.leavesTo)
    if (frame.apart || frame.leavesTo < depth) this.#begin(body.at)
    else this.#charge = frame.charge
  }

  get #top(): Frame {
    return this.#frames[this.#frames.length - 1]!
  }

  #push(code: number): void {
    if (this.#frames.length >= depthMax) throw new RangeError(`more than ${depthMax} constructs in one another`)
    this.#frames.push({
      code,
      charge: this.#charge,
      dead: this.#dead,
      leavesTo: Infinity,
      apart: false,
      reached: false,
    })
  }

  /** A stretch begins here. */
  #begin(at: number, kind: number = mark.charge): void {
    if (this.#dead) return
    this.#charge = this.at.length
    this.#chargeWeight += this.#weight
    this.#mark(at, kind, 0)
  }

  #mark(at: number, kind: number, amount: number): void {
    if (this.#dead) return
    this.at.push(at)
    this.kind.push(kind)
    this.amount.push(amount)
  }

  #markNaN(body: BinaryReader, kind: number): void {
    if (kind !== none && !hidesNaN(body)) this.#mark(body.at, kind, 0)
  }

  #cost(gas: number): void {
    if (!this.#dead) this.amount[this.#charge]! += gas
  }

  #die(): void {
    this.#dead = true
  }

  /** A branch out of `depth` constructs: to the end of the one around them, or to its head if it is a loop. */
  #leave(depth: number, start: number): void {
    const target = this.#frames.length - 1 - depth
    if (target < 0) throw new RangeError(`a branch leaves ${depth} constructs and there are ${this.#frames.length}`)
    if (this.#dead) return
    if (target === 0 && this.kind.at(-1) !== mark.flush) this.#mark(start, mark.flush, 0)
    const frame = this.#frames[target]!
    if (frame.code !== opcode.loop) frame.reached = true
    this.#top.leavesTo = Math.min(this.#top.leavesTo, target)
  }

  #leaveFunction(start: number): void {
    this.#leave(this.#frames.length - 1, start)
    this.#die()
  }
}
