import { pairsOf, ratioOf, type Result, valueOf } from './results.js'

/**
 * Returns the text to print after a workload: a table of figures, one of ratios, and reasons for
 * missing figures.
 */
export function report(result: Result): string {
  const { title, workload, figures, outcomes } = result
  const present = outcomes.filter(({ rounds }) => rounds.length > 0)
  const absolute = present.map(({ contestant }) => [
    contestant,
    ...figures.map(({ key }) => inDigits(valueOf(result, contestant, key))),
  ])
  const names = new Set(present.map(({ contestant }) => contestant))
  const pairs = pairsOf(result).filter(([name, other]) => names.has(name) && names.has(other))
  const ratios = pairs.map(([name, other]) => [
    `${name} ÷ ${other}`,
    ...figures.map(({ key }, i) => {
      const ratio = ratioOf(result, name, other, key)
      if (ratio === undefined) return ''
      const range = i === 0 ? ` (${inDigits(ratio.least)}–${inDigits(ratio.most)})` : ''
      return `×${inDigits(ratio.median)}${range}`
    }),
  ])
  const failures = outcomes.flatMap(({ contestant, failure, unsupported }) =>
    failure === undefined ? [] : `${contestant}: ${unsupported ? '' : 'failed, '}${failure}`,
  )
  const header = ['', ...figures.map((figure) => figure.title)]
  return [`${workload}: ${title}`, ...align([header, ...absolute, ...ratios]), ...failures].join(
    '\n',
  )
}

/** Formats a number with three digits, or with all those before the point. */
export function inDigits(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return ''
  if (value >= 100) return value.toFixed(0)
  return value.toFixed(value >= 10 ? 1 : value >= 0.1 ? 2 : 3)
}

/** Aligns columns to one width, with numbers on the right. */
function align(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)))
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}
