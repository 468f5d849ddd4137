/** How evenly something is shared. Both say nothing (null) of nobody, and of nothing. */

/**
 * 1 when all have the same, 1/n when one of n has everything (Jain, Chiu and Hawe, "A Quantitative Measure of Fairness and
 * Discrimination for Resource Allocation in Shared Computer Systems", DEC TR-301, 1984).
 */
export function jainOf(shares: readonly number[]): number | null {
  const sum = shares.reduce((total, share) => total + share, 0)
  const squares = shares.reduce((total, share) => total + share * share, 0)
  return squares === 0 ? null : (sum * sum) / (shares.length * squares)
}

/** 0 when all have the same, nearly 1 when one has everything: half the mean difference of any two, by the mean (Gini, 1912). */
export function giniOf(shares: readonly number[]): number | null {
  const sorted = shares.toSorted((left, right) => left - right)
  const sum = sorted.reduce((total, share) => total + share, 0)
  if (sum === 0) return null
  const weighted = sorted.reduce((total, share, index) => total + (2 * (index + 1) - sorted.length - 1) * share, 0)
  return weighted / (sorted.length * sum)
}

/** How many times the mean the greatest share is. */
export function hottestOf(shares: readonly number[]): number | null {
  const sum = shares.reduce((total, share) => total + share, 0)
  return sum === 0 ? null : (Math.max(...shares) * shares.length) / sum
}
