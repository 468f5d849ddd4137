// Desks of two peers with vouchers, over a restart of both: what is promised follows what was promised before.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { decodeVouching, encodeVouching, type GiveState, type TakeState } from '../../protocols/voucher/index.ts'
import type { Notary } from '../../protocols/negotiate/index.ts'
import { VirtualClock } from '../../sim/clock.ts'
import { silentLog } from '../../src/environment.ts'
import { decodeState, encodeState } from '../../src/state-form.ts'
import { VoucherDesk } from '../../src/settlement/voucher-desk.ts'
import { startMs } from '../negotiate/parties.ts'
import { otherPurse, payee, payer, purse, redeemer, statement, unit } from './parties.ts'

class World {
  readonly clock = new VirtualClock(startMs)
  readonly disks = new Map<string, Map<string, Uint8Array>>()
  readonly desks = new Map<string, VoucherDesk>()
  readonly events: string[] = []
  owedMicro = 0n

  open(notary: Notary, other: Notary): VoucherDesk {
    const name = notary.signer.peer
    const disk = this.disks.get(name) ?? new Map<string, Uint8Array>()
    this.disks.set(name, disk)
    const isPayer = name === payer.signer.peer
    const desk = new VoucherDesk({
      notary,
      clock: this.clock,
      log: silentLog,
      purse: isPayer ? purse : otherPurse,
      redeemer: isPayer ? null : redeemer,
      journal: {
        commit: async ({ id, state }) => void disk.set(id, encodeState(state)),
      },
      partners: () => [{ peer: other.signer.peer, unit }],
      owed: () => ({
        byUs: isPayer ? this.owedMicro : 0n,
        toUs: isPayer ? 0n : this.owedMicro,
        statement: this.owedMicro === 0n ? null : statement,
      }),
      send: (to, message) => {
        this.clock.after(10, () => this.desks.get(to)?.hear(name, decodeVouching(notary, encodeVouching(message))))
      },
      onFault: (_peer, fault) => assert.fail(fault.message),
      onEvent: (_partner, { happened }) => void this.events.push(happened),
    })
    this.desks.set(name, desk)
    desk.start([...disk.values()].map((bytes) => decodeState<GiveState | TakeState>(bytes)))
    return desk
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.nowMs() + ms
    for (;;) {
      for (let turn = 0; turn < 3; turn++) await setImmediate()
      const nextMs = this.clock.nextMs
      if (nextMs === undefined || nextMs > untilMs) return
      this.clock.jump()
    }
  }
}

test('what is owed is promised, over restarts of both sides, each voucher after the other', async () => {
  const world = new World()
  world.open(payer, payee)
  let taking = world.open(payee, payer)
  await world.pass(1_000)
  assert.deepEqual(world.events, [])
  for (const [round, micro] of [100n, 250n, 250n, 1_000n].entries()) {
    world.owedMicro = micro
    taking.ask(payer.signer.peer, unit)
    await world.pass(5_000)
    assert.equal(taking.promisedMicro(payer.signer.peer, unit), micro, `round ${round}`)
    await Promise.all([...world.desks.values()].map(async (desk) => desk.stop()))
    world.open(payer, payee)
    taking = world.open(payee, payer)
    await world.pass(1_000)
    assert.equal(taking.promisedMicro(payer.signer.peer, unit), micro, `round ${round}, again`)
  }
  assert.equal(taking.states()[0]!.take.last?.sequence, 3)
})
