/** Straight lines through measured points, by least squares. */

/** `y = a + b·x`, where x is the number of peers, or its logarithm to the base of two; level where nothing grows with them. */
export interface Line {
  readonly of: 'N' | 'log2 N' | 'nothing'
  readonly a: number
  readonly b: number
  /** Share of the variance that it explains: 1 is all of it. Null where there is none, or too few points to tell. */
  readonly r2: number | null
}

export interface Point {
  readonly peers: number
  readonly value: number
}

/** Through one point, or points at one place, goes the level line of their mean; null through none. */
export function fit(points: readonly Point[], of: Line['of']): Line | null {
  if (points.length === 0) return null
  const xs = points.map(({ peers }) => along(of, peers))
  const ys = points.map(({ value }) => value)
  const [meanX, meanY] = [mean(xs), mean(ys)]
  const spreadX = mean(xs.map((x) => (x - meanX) ** 2))
  const spreadY = mean(ys.map((y) => (y - meanY) ** 2))
  if (spreadX === 0) return { of, a: meanY, b: 0, r2: null }
  const b = mean(xs.map((x, place) => (x - meanX) * (ys[place]! - meanY))) / spreadX
  const a = meanY - b * meanX
  const left = mean(xs.map((x, place) => (ys[place]! - a - b * x) ** 2))
  return { of, a, b, r2: points.length < 3 || spreadY === 0 ? null : 1 - left / spreadY }
}

export function at({ of, a, b }: Line, peers: number): number {
  return a + b * along(of, peers)
}

function along(of: Line['of'], peers: number): number {
  if (of === 'nothing') return 0
  return of === 'N' ? peers : Math.log2(peers)
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
