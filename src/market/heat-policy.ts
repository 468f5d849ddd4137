/** Whether the machine is too hot to work for others: it must cool down well below what is too hot. Pure. */

/** Degrees below the limit at which work goes on: less would turn it over each minute. */
export const cooledBy = 10

/** `celsius`: the hottest part now; null where nothing can be read, which is never too hot. */
export function stepHeat(isHot: boolean, celsius: number | null, celsiusMax: number): boolean {
  if (celsius === null) return false
  return isHot ? celsius > celsiusMax - cooledBy : celsius >= celsiusMax
}
