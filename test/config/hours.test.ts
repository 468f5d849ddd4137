import assert from 'node:assert/strict'
import { test } from 'node:test'

import { inUtc, parseHours } from '../../src/config/hours.ts'

const hour = 60
const day = 24 * hour
const pairs = (texts: string[], ahead = 0) =>
  inUtc(parseHours(texts), ahead).map(({ fromMinute, toMinute }) => [fromMinute, toMinute])

test('days, spans of days, and hours past midnight', () => {
  assert.deepEqual(pairs(['mon 18:00-19:30']), [[18 * hour, 19.5 * hour]])
  assert.deepEqual(pairs(['fri-sat 22:00-06:00']), [
    [4 * day + 22 * hour, 5 * day + 6 * hour],
    [5 * day + 22 * hour, 6 * day + 6 * hour],
  ])
  assert.deepEqual(pairs(['sat,sun']), [
    [5 * day, 6 * day],
    [6 * day, 0],
  ])
  assert.deepEqual(pairs(['sun-mon 23:00-24:00']), [
    [23 * hour, day],
    [6 * day + 23 * hour, 0],
  ])
  assert.equal(pairs(['01:00-02:00']).length, 7)
  assert.deepEqual(pairs(['Mon 09:00-09:00']), [[9 * hour, day + 9 * hour]], 'all day long')
})

test('local time becomes UTC, over the ends of the week too', () => {
  assert.deepEqual(pairs(['mon 00:30-02:00'], 60), [[7 * day - 30, hour]])
  assert.deepEqual(pairs(['sun 20:00-23:00'], -5 * hour), [[hour, 4 * hour]])
})

test('what is no time of the week is refused with an example', () => {
  for (const text of ['', 'noon', 'mon 25:00-26:00', 'mon 9-10', 'mon-xyz', 'mon 09:60-10:00', '9:00', 'mon;tue'])
    assert.throws(() => parseHours([text]), /write mon-fri 18:00-07:00/, text)
  assert.throws(() => parseHours(['01:00-02:00', '03:00-04:00', '05:00-06:00']), /there may be 16/)
})
