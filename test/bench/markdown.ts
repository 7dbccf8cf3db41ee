import { inDigits } from './report.js'
import { ratioOf, type Result, valueOf } from './results.js'

/** A server that is compared with another one, under a heading. */
type Comparison = readonly [heading: string, server: string, other: string]

/** Returns the tables of the documentation: of all servers, and of tuskit with options. */
export function markdown(results: readonly Result[], options: readonly Result[]): string {
  const rated = results.filter(({ figures }) => figures[0]!.key === 'rate')
  const used = ['rate', 'cpu', 'database'].filter((key) =>
    rated.some(({ figures }) => figures.some((figure) => figure.key === key)),
  )
  const timed = rated.filter(({ figures }) => figures.some(({ key }) => key === 'p50'))
  const others = results.filter((result) => !rated.includes(result))
  const servers = [...new Set(results.flatMap(contestantsOf))]
  const [base = '', ...compared] = servers
  const peers = compared.includes('tuskit') ? compared.filter((name) => name !== 'tuskit') : []
  const parts = [
    `Throughput and processor time divided by those of ${base}; in brackets, the range over the rounds:`,
    ratios(
      rated,
      compared.map((name) => [name, name, base]),
    ),
    'The same of tuskit, divided by those of the others:',
    ratios(
      rated,
      peers.map((peer) => [`tuskit ÷ ${peer}`, 'tuskit', peer]),
    ),
    'Throughput in MiB or requests per second, and processor seconds per GiB or 1,000 requests:',
    absolute(rated, servers, used),
    'Peak memory in MiB, and the milliseconds of the median request and of the 99th percentile. Where bytes are moved, ' +
      'these are other requests meanwhile:',
    absolute(timed, servers, ['peak', 'p50', 'p99']),
    'Other figures:',
    single(others, servers),
    ...groups(options).flatMap((group) => [
      `Throughput and processor time of tuskit with ${variantsOf(group).join(', ')}, divided by those without:`,
      optionRatios(group),
    ]),
  ]
  // A table without rows or columns is dropped, together with its introduction.
  const kept = parts.flatMap((part, i) =>
    i % 2 === 1 && part !== '' ? [`${parts[i - 1]!}\n\n${part}`] : [],
  )
  return [...kept, reasons([...results, ...options])].filter((part) => part !== '').join('\n\n')
}

function contestantsOf({ outcomes }: Result): string[] {
  return outcomes.map(({ contestant }) => contestant)
}

/** Groups results that have the same columns. */
function groups(results: readonly Result[]): Result[][] {
  const found = new Map<string, Result[]>()
  for (const result of results) {
    const key = contestantsOf(result).join()
    found.set(key, [...(found.get(key) ?? []), result])
  }
  return [...found.values()]
}

/** Returns all servers but the base of the comparison. */
function variantsOf(group: readonly Result[]): string[] {
  return contestantsOf(group[0]!).slice(1)
}

function optionRatios(group: readonly Result[]): string {
  const [plain] = contestantsOf(group[0]!)
  return ratios(
    group,
    variantsOf(group).map((name) => [name, name, plain!]),
  )
}

function ratios(results: readonly Result[], comparisons: readonly Comparison[]): string {
  return table(
    ['', ...comparisons.flatMap(([heading]) => [heading, 'CPU'])],
    results.map((result) => [
      result.title,
      ...comparisons.flatMap(([, server, other]) => {
        const rate = ratioOf(result, server, other, 'rate')
        const cpu = ratioOf(result, server, other, 'cpu')
        if (rate === undefined) return ['–', '–']
        const range = `(${inDigits(rate.least)}–${inDigits(rate.most)})`
        return [`×${inDigits(rate.median)} ${range}`, cpu ? `×${inDigits(cpu.median)}` : '–']
      }),
    ]),
  )
}

function absolute(
  results: readonly Result[],
  servers: readonly string[],
  keys: readonly string[],
): string {
  return table(
    ['', ...servers.flatMap((name) => keys.map((key, i) => headingOf(key, i === 0 ? name : '')))],
    results.map((result) => [
      result.title,
      ...servers.flatMap((name) => keys.map((key) => cell(result, name, key))),
    ]),
  )
}

/** Returns the heading of a column, with the name of the server in its first one. */
function headingOf(key: string, name: string): string {
  if (key === 'cpu') return 'CPU'
  if (name === '') return key
  return key === 'rate' ? name : `${name}: ${key}`
}

/** Returns a row for each figure. */
function single(results: readonly Result[], servers: readonly string[]): string {
  return table(
    ['', ...servers],
    results.flatMap((result) =>
      result.figures.map(({ key, title }) => [
        `${result.title}: ${title}`,
        ...servers.map((name) => cell(result, name, key)),
      ]),
    ),
  )
}

function cell(result: Result, server: string, key: string): string {
  return inDigits(valueOf(result, server, key)) || '–'
}

/** Returns a table, or nothing if it would be empty. */
function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0 || header.length === 1) return ''
  const rule = header.map((_, i) => (i === 0 ? '---' : '---:'))
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Returns the reasons for missing figures. */
function reasons(results: readonly Result[]): string {
  return results
    .flatMap(({ workload, outcomes }) =>
      outcomes.flatMap(({ contestant, failure }) =>
        failure === undefined ? [] : [`- ${workload}, ${contestant}: ${failure}`],
      ),
    )
    .join('\n')
}
