// `npm run -s test:crash -- [--kills N] [--states N] [--seed N] [--json]`: peers that are killed while they exchange receipts, and power
// losses by replaying what was written. Ends with 1 when anything was lost. With --json the last line is one JSON object.

import { parseArgs } from 'node:util'

import { killTraders } from './kills.ts'
import { losePower, whyNoPowerLoss, type PowerReport } from './power-loss.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    states: { type: 'string', default: '160' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    json: { type: 'boolean', default: false },
  },
})
const [kills, states, seed] = [values.kills, values.states, values.seed].map(Number) as [number, number, number]
if (![kills, states, seed].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  console.error('usage: test:crash [--kills N] [--states N] [--seed N] [--json]')
  process.exit(2)
}
const say = (line: string): void => console.error(line)

say(`seed ${seed}`)
const killed = await killTraders(kills, seed, say)
say(`kills: ${JSON.stringify(killed)}`)
let power: PowerReport | null = null
let control: PowerReport | null = null
const note = whyNoPowerLoss()
if (note === undefined) {
  const shared = { states, seed, leases: 8, turns: 24 }
  power = await losePower({ ...shared, synchronous: 'FULL' })
  say(`power: ${JSON.stringify(power)}`)
  // What the ledger would lose if it trusted the disk: so much would be seen.
  control = await losePower({ ...shared, synchronous: 'NORMAL' })
  say(`power, with synchronous=NORMAL: ${JSON.stringify(control)}`)
} else say(`no power loss was tried: ${note}`)

const isSeen = control === null || control.lossy > 0 || states === 0
const holds =
  killed.lost + killed.doubled + killed.chainBreaks + (power?.lossy ?? 0) + (power?.broken ?? 0) === 0 && isSeen
if (values.json) {
  const normal = control === null ? null : { states: control.states, lossy: control.lossy }
  console.log(JSON.stringify({ v: 1, seed, ...killed, power, normal, ...(note === undefined ? {} : { note }), holds }))
} else console.log(holds ? 'ok' : 'FAILED')
process.exitCode = holds ? 0 : 1
