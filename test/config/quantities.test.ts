import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { parseBytes, parseCpuMilli, parseDurationMs, parseGas, parseRate } from '../../src/config/quantities.ts'

const lawful: Record<string, [parse: (text: string) => number, rows: [text: string, value: number][]]> = {
  processors: [
    parseCpuMilli,
    [
      ['1', 1000],
      ['2', 2000],
      ['0.5', 500],
      ['1.5', 1500],
      ['500m', 500],
      ['1m', 1],
      ['0', 0],
      [' 4 ', 4000],
      // Rounded up, as Kubernetes does.
      ['0.0001', 1],
      ['1.5m', 2],
    ],
  ],
  gas: [
    parseGas,
    [
      ['1', 1],
      ['20G', 20_000_000_000],
      ['1.5T', 1_500_000_000_000],
      ['0.1', 1],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ],
  ],
  rates: [
    parseRate,
    [
      ['10MB/s', 10_000_000],
      ['1.5MiB/s', 1_572_864],
      ['80Mbit/s', 10_000_000],
      ['100kB/s', 100_000],
      [' 9bit/s ', 2],
      ['131072B/s', 131_072],
    ],
  ],
  bytes: [
    parseBytes,
    [
      ['0', 0],
      ['1048576', 1_048_576],
      ['1k', 1_000],
      ['1Ki', 1_024],
      ['512Mi', 536_870_912],
      ['1.5Gi', 1_610_612_736],
      ['20G', 20_000_000_000],
      ['2T', 2_000_000_000_000],
      ['1Ti', 1_099_511_627_776],
      ['1P', 1_000_000_000_000_000],
      ['1e6', 1_000_000],
      ['0.1Ki', 103],
      ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ],
  ],
  durations: [
    parseDurationMs,
    [
      ['30s', 30_000],
      ['5m', 300_000],
      ['2h', 7_200_000],
      ['250ms', 250],
      ['1h30m', 5_400_000],
      ['1d', 86_400_000],
      ['1.5h', 5_400_000],
      ['1m30s500ms', 90_500],
      ['0s', 0],
    ],
  ],
}

const unlawful: Record<string, [parse: (text: string) => number, rows: [text: string, says: RegExp][]]> = {
  processors: [
    parseCpuMilli,
    [
      ['', /write 2, 0\.5 or 500m/],
      ['-1', /not a number of processors/],
      ['two', /not a number/],
      ['1Gi', /not a number/],
      ['1.', /not a number/],
      ['.5', /not a number/],
      ['1 000', /not a number/],
      ['99999999999999999', /not a number/],
    ],
  ],
  bytes: [
    parseBytes,
    [
      ['512m', /m is a thousandth; write M \(millions\) or Mi \(mebibytes\)/],
      ['512MB', /write M for powers of 1000 or Mi for powers of 1024/],
      ['1K', /write k for powers of 1000 or Ki/],
      ['1gib', /write G for powers of 1000 or Gi/],
      ['-5G', /not a number of bytes/],
      ['9007199254740992', /not a number of bytes/],
      ['1e99', /not a number of bytes/],
      ['constructor', /not a number of bytes/],
      ['1constructor', /not a number of bytes/],
      ['x'.repeat(200), /"x{40}…"/],
    ],
  ],
  gas: [
    parseGas,
    [
      ['0', /not a number of instructions: write 20G/],
      ['1Gi', /write 20G/],
      ['-1', /write 20G/],
      ['much', /write 20G/],
      ['9007199254740992', /write 20G/],
    ],
  ],
  rates: [
    parseRate,
    [
      ['10MB', /write 10MB\/s, 1\.5MiB\/s or 80Mbit\/s/],
      ['10', /not a rate/],
      ['10mB/s', /not a rate/],
      ['10MB/h', /not a rate/],
      ['-1MB/s', /not a rate/],
      ['B/s', /not a rate/],
      ['9007199254740992B/s', /not a rate/],
    ],
  ],
  durations: [
    parseDurationMs,
    [
      ['30', /write 30s, 30m or 30h/],
      ['', /write 30s, 5m, 2h or 1h30m/],
      ['5m2h', /not a duration/],
      ['1h1h', /not a duration/],
      ['1h 30m', /not a duration/],
      ['5min', /not a duration/],
      ['-5m', /not a duration/],
      ['999999999999999d', /not a duration/],
    ],
  ],
}

for (const [kind, [parse, rows]] of Object.entries(lawful)) {
  describe(`${kind} as people type them`, () => {
    for (const [text, value] of rows) test(JSON.stringify(text), () => assert.equal(parse(text), value))
  })
}

for (const [kind, [parse, rows]] of Object.entries(unlawful)) {
  describe(`${kind} that are none say what to write`, () => {
    for (const [text, says] of rows) {
      test(JSON.stringify(text.slice(0, 50)), () => {
        assert.throws(
          () => parse(text),
          (error) => error instanceof RangeError && says.test(error.message),
        )
      })
    }
  })
}
