/** Returns the middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length % 2 === 1) return sorted[middle]!
  return (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Returns the smallest value that `share` of the values, between 0 and 1, do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN
}

/** A ratio over rounds. */
export interface Ratio {
  readonly median: number
  readonly least: number
  readonly most: number
}

/** Compares values of the same round, since a disturbance affects both. */
export function pairedRatio(
  values: readonly number[],
  others: readonly number[],
): Ratio | undefined {
  const ratios = values.map((value, i) => value / (others[i] ?? NaN)).filter(Number.isFinite)
  if (ratios.length === 0) return undefined
  return { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) }
}
