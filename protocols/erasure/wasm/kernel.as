/**
 * Rows of coefficients times strips, 16 bytes at a time. AssemblyScript; `npm run build:kernel` makes bytes.ts of it, twice:
 * with relaxed SIMD and without.
 *
 * A product in GF(2^8) is linear over xor, so c·b is the xor of two look-ups in tables of 16 bytes: one of c times the low four
 * bits of b, one of c times the high four. A swizzle does 16 such look-ups at once (Plank, Greenan, Miller, "Screaming Fast
 * Galois Field Arithmetic Using Intel SIMD Instructions", 2013). Indexes are below 16 always, where the relaxed swizzle is
 * as exact as the plain one.
 *
 * Everything lies in one imported memory, which may be shared with other threads. The caller sees to it that all addresses
 * are inside it: nothing is checked here.
 */

/** Bytes worked on in one step: two vectors, so that a table is loaded once for both. */
const step: u32 = 32
/**
 * Rows worked on at once. Eight sums, four indexes, the mask, half a table and what was looked up fill fifteen registers, and
 * more there are not: that is also why sums take the low and the high digits one after the other.
 */
const rowsPerGroup: u32 = 4
/** Bytes of the two tables of one coefficient: products with the low four bits, then with the high four. */
const tableBytes: u32 = 32

/**
 * Makes bytes `from` … `to` of every target strip; both are multiples of 32. Few at a call: a function that runs for the first
 * time runs slowly to its end, and only the next call has the better code; and strips that are read once for every four
 * rows should stay in the cache meanwhile.
 *
 * `tables`: for every four rows (the last may be fewer), for every column, for each of these rows, 32 bytes of tables.
 * `sources`, `targets`: a 32-bit address for each column and each row. Targets overlap neither sources nor one another.
 * `lowDigits` is 0x0f0f0f0f. It comes from outside, because what the engine knows to be constant it makes anew at every use.
 */
export function multiply(
  tables: u32, sources: u32, columns: u32, targets: u32, rows: u32, from: u32, to: u32, lowDigits: u32,
): void {
  const low = i32x4.splat(lowDigits)
  let table = tables
  for (let row: u32 = 0; row < rows; row += rowsPerGroup) {
    const count = min(rowsPerGroup, rows - row)
    const target = targets + 4 * row
    if (count == 4) span(4, table, sources, columns, target, from, to, low)
    else if (count == 3) span(3, table, sources, columns, target, from, to, low)
    else if (count == 2) span(2, table, sources, columns, target, from, to, low)
    else span(1, table, sources, columns, target, from, to, low)
    table += count * columns * tableBytes
  }
}

@inline
function span(
  rows: u32, tables: u32, sources: u32, columns: u32, targets: u32, from: u32, to: u32, low: v128,
): void {
  const target0 = load<u32>(targets)
  const target1 = rows > 1 ? load<u32>(targets, 4) : 0
  const target2 = rows > 2 ? load<u32>(targets, 8) : 0
  const target3 = rows > 3 ? load<u32>(targets, 12) : 0
  const sourcesEnd = sources + 4 * columns
  for (let at = from; at < to; at += step) {
    // Two sums for each row: bytes 0 … 15 and 16 … 31.
    let a0 = i8x16.splat(0), b0 = i8x16.splat(0)
    let a1 = i8x16.splat(0), b1 = i8x16.splat(0)
    let a2 = i8x16.splat(0), b2 = i8x16.splat(0)
    let a3 = i8x16.splat(0), b3 = i8x16.splat(0)
    let table = tables
    for (let source = sources; source < sourcesEnd; source += 4) {
      const address = load<u32>(source) + at
      const a = v128.load(address)
      const b = v128.load(address, 16)
      // Shifted as words: engines shift bytes by shifting words and masking, with a mask that they make every time.
      const aLow = v128.and(a, low), aHigh = v128.and(i16x8.shr_u(a, 4), low)
      const bLow = v128.and(b, low), bHigh = v128.and(i16x8.shr_u(b, 4), low)
      {
        const lows = v128.load(table)
        a0 = plus(a0, lows, aLow)
        b0 = plus(b0, lows, bLow)
        const highs = v128.load(table, 16)
        a0 = plus(a0, highs, aHigh)
        b0 = plus(b0, highs, bHigh)
      }
      if (rows > 1) {
        const lows = v128.load(table, 32)
        a1 = plus(a1, lows, aLow)
        b1 = plus(b1, lows, bLow)
        const highs = v128.load(table, 48)
        a1 = plus(a1, highs, aHigh)
        b1 = plus(b1, highs, bHigh)
      }
      if (rows > 2) {
        const lows = v128.load(table, 64)
        a2 = plus(a2, lows, aLow)
        b2 = plus(b2, lows, bLow)
        const highs = v128.load(table, 80)
        a2 = plus(a2, highs, aHigh)
        b2 = plus(b2, highs, bHigh)
      }
      if (rows > 3) {
        const lows = v128.load(table, 96)
        a3 = plus(a3, lows, aLow)
        b3 = plus(b3, lows, bLow)
        const highs = v128.load(table, 112)
        a3 = plus(a3, highs, aHigh)
        b3 = plus(b3, highs, bHigh)
      }
      table += rows * tableBytes
    }
    v128.store(target0 + at, a0)
    v128.store(target0 + at, b0, 16)
    if (rows > 1) {
      v128.store(target1 + at, a1)
      v128.store(target1 + at, b1, 16)
    }
    if (rows > 2) {
      v128.store(target2 + at, a2)
      v128.store(target2 + at, b2, 16)
    }
    if (rows > 3) {
      v128.store(target3 + at, a3)
      v128.store(target3 + at, b3, 16)
    }
  }
}

/** The sum and what the table has at each index. */
@inline
function plus(sum: v128, table: v128, index: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return v128.xor(sum, i8x16.relaxed_swizzle(table, index))
  else return v128.xor(sum, i8x16.swizzle(table, index))
}
