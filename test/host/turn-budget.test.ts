// How much is taken of connections in one turn; the turns are the test's.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { TurnBudget, turnBytesMax, type Handing, type Holdable, type Incoming } from '../../src/host/turn-budget.ts'

class Connection implements Holdable, Incoming {
  readStatus = 'readable'
  #listener: (event: { data: { byteLength: number } }) => void = () => {}
  addEventListener(_type: 'message', listener: (event: { data: { byteLength: number } }) => void): void {
    this.#listener = listener
  }
  pause(): void {
    this.readStatus = 'paused'
  }
  resume(): void {
    assert.equal(this.readStatus, 'paused', 'libp2p throws otherwise')
    this.readStatus = 'readable'
  }
  comes(byteLength: number): void {
    this.#listener({ data: { byteLength } })
  }
}

function stage() {
  const waiting: (() => void)[] = []
  const budget = new TurnBudget({ next: (run) => void waiting.push(run) })
  const [one, two] = [new Connection(), new Connection()]
  budget.watch(one, one)
  budget.watch(two, two)
  const turn = (): void => {
    assert.equal(waiting.length, 1, 'one wake a turn, however much comes')
    waiting.shift()!()
  }
  return { budget, one, two, turn, waiting }
}

test('beyond the budget of all together they are held until the next turn', () => {
  const { one, two, turn, waiting } = stage()
  one.comes(turnBytesMax - 1)
  assert.equal(one.readStatus, 'readable')
  two.comes(1)
  assert.equal(two.readStatus, 'paused')
  one.comes(10)
  assert.equal(one.readStatus, 'paused')
  turn()
  assert.deepEqual([one.readStatus, two.readStatus], ['readable', 'readable'])
  one.comes(10)
  assert.equal(one.readStatus, 'readable', 'a new turn has a new budget')
  turn()
  assert.equal(waiting.length, 0, 'and while nothing comes nobody is woken')
})

test('who was paused by another, or closes, is let be', () => {
  const { one, two, turn } = stage()
  one.readStatus = 'paused'
  one.comes(turnBytesMax)
  two.comes(turnBytesMax)
  two.readStatus = 'closing'
  turn()
  assert.deepEqual([one.readStatus, two.readStatus], ['paused', 'closing'])
})

test('one that is released goes on at once, and only if it was held', () => {
  const { budget, one, two, turn } = stage()
  one.comes(turnBytesMax)
  assert.equal(one.readStatus, 'paused')
  budget.release(one)
  assert.equal(one.readStatus, 'readable')
  two.readStatus = 'paused'
  budget.release(two)
  assert.equal(two.readStatus, 'paused', 'another paused it')
  turn()
  assert.equal(two.readStatus, 'paused')
})

/** One that takes in, and hands on when it is told to. */
class Taking extends Connection implements Handing {
  readonly #budget: TurnBudget
  took = 0
  handed = 0

  constructor(budget: TurnBudget) {
    super()
    this.#budget = budget
  }

  takes(bytes: number): void {
    this.took += bytes
    this.#budget.took(bytes, this)
  }

  hand(): number {
    assert.equal(this.readStatus, 'readable', 'what is handed on by one that is held would wait in it')
    const bytes = this.took - this.handed
    this.handed = this.took
    return bytes
  }
}

test('what many took in one turn is handed on over several, in the order in which it came, and nothing more is taken meanwhile', () => {
  const { budget, one, turn, waiting } = stage()
  const each = turnBytesMax / 2
  const taking = Array.from({ length: 5 }, () => new Taking(budget))
  for (const connection of taking) connection.takes(each)
  one.comes(1)
  assert.equal(one.readStatus, 'paused')
  const seen = (): string => taking.map(({ handed, readStatus }) => `${handed / each} ${readStatus}`).join(', ')
  turn()
  assert.equal(seen(), '1 readable, 1 readable, 0 paused, 0 paused, 0 paused')
  assert.equal(one.readStatus, 'readable', 'one that has nothing to hand on is not kept waiting by those who have')
  // They were faster, and come after those who wait.
  taking[0]!.takes(each)
  turn()
  assert.equal(seen(), '1 paused, 1 readable, 1 readable, 1 readable, 0 paused')
  turn()
  assert.equal(seen(), '2 readable, 1 readable, 1 readable, 1 readable, 1 readable')
  assert.equal(waiting.length, 0)
})

test('of one that is released nothing is asked', () => {
  const { budget, turn } = stage()
  const over = new Taking(budget)
  over.takes(1)
  budget.release(over)
  turn()
  assert.equal(over.handed, 0)
})
