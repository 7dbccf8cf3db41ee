import type { Figure } from './figures.js'
import type { Outcome } from './run-workload.js'
import { median, pairedRatio, type Ratio } from './statistics.js'

/** The outcomes of one workload for all servers. */
export interface Result {
  readonly workload: string
  readonly title: string
  readonly figures: readonly Figure[]
  readonly outcomes: readonly Outcome[]
}

/** Returns the median of a figure over the rounds, if the server got that far. */
export function valueOf(result: Result, server: string, key: string): number | undefined {
  const values = valuesOf(result, server, key)
  return values.length === 0 ? undefined : median(values)
}

/** Returns a figure of one server divided by that of another one, round by round. */
export function ratioOf(
  result: Result,
  server: string,
  other: string,
  key: string,
): Ratio | undefined {
  return pairedRatio(valuesOf(result, server, key), valuesOf(result, other, key))
}

/**
 * Returns the pairs to compare: each server with the first one, and tuskit with every other.
 * `others` come last in each.
 */
export function pairsOf({ outcomes }: Result): readonly (readonly [string, string])[] {
  const [first, ...others] = outcomes.map(({ contestant }) => contestant)
  const peers = others.includes('tuskit') ? others.filter((name) => name !== 'tuskit') : []
  return [
    ...others.map((name) => [name, first!] as const),
    ...peers.map((peer) => ['tuskit', peer] as const),
  ]
}

function valuesOf({ outcomes }: Result, server: string, key: string): number[] {
  const rounds = outcomes.find(({ contestant }) => contestant === server)?.rounds ?? []
  return rounds.map((figures) => figures[key] ?? NaN).filter((value) => !Number.isNaN(value))
}
