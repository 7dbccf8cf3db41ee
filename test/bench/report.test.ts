import { expect, test } from 'vitest'
import { between } from './documentation.js'
import { requestFigures } from './figures.js'
import { markdown } from './markdown.js'
import { parseOptions } from './options.js'
import { inDigits, report } from './report.js'
import { ratioOf, type Result, valueOf } from './results.js'
import { fullSizes, quickSizes } from './sizes.js'
import { median, pairedRatio, percentile } from './statistics.js'

/** Rounds that differ a lot, and servers whose ratio hardly does. */
const result: Result = {
  workload: 'head',
  title: 'many HEADs',
  figures: requestFigures,
  outcomes: [
    { contestant: 'limit', rounds: rounds([100, 200, 1000], [4, 2, 1]) },
    { contestant: 'tuskit', rounds: rounds([50, 120, 500], [8, 4, 1]) },
    { contestant: 'tus-node', rounds: [], failure: 'HEAD got 500' },
  ],
}

function rounds(rates: readonly number[], processor: readonly number[]) {
  return rates.map((rate, i) => ({ rate, cpu: processor[i]!, peak: 64, p50: 1, p99: 2 }))
}

test('the median of an odd number is the middle one, of an even number the mean of two', () => {
  expect(median([5, 1, 100])).toBe(5)
  expect(median([4, 1, 100, 2])).toBe(3)
})

test('a percentile is one of the measured values', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  expect(percentile(values, 0.5)).toBe(50)
  expect(percentile(values, 0.99)).toBe(99)
  expect(percentile([7], 0.5)).toBe(7)
  expect(percentile([], 0.5)).toBeNaN()
})

test('a ratio is the median of the ratios of the same rounds', () => {
  expect(pairedRatio([50, 120, 500], [100, 200, 1000])).toEqual({
    median: 0.5,
    least: 0.5,
    most: 0.6,
  })
  // The ratio of the medians would be 2.
  expect(pairedRatio([1, 2, 9], [3, 1, 1])?.median).toBe(2)
  expect(pairedRatio([1, 2, 9], [9, 1, 3])?.median).toBe(2)
  expect(pairedRatio([2, 4, 6], [1, 8, 2])?.median).toBe(2)
  expect(pairedRatio([], [1])).toBeUndefined()
})

test('a result has the medians and ratios of its servers', () => {
  expect(valueOf(result, 'limit', 'rate')).toBe(200)
  expect(valueOf(result, 'tus-node', 'rate')).toBeUndefined()
  expect(ratioOf(result, 'tuskit', 'limit', 'rate')).toEqual({ median: 0.5, least: 0.5, most: 0.6 })
  expect(ratioOf(result, 'tuskit', 'limit', 'cpu')?.median).toBe(2)
  expect(ratioOf(result, 'tuskit', 'tus-node', 'cpu')).toBeUndefined()
})

test('a report has figures, ratios with their range, and reasons for missing figures', () => {
  expect(report(result)).toMatchInlineSnapshot(`
    "head: many HEADs
                           requests/s  CPU s/1,000  peak MiB  p50 ms  p99 ms
    limit                         200         2.00      64.0    1.00    2.00
    tuskit                        120         4.00      64.0    1.00    2.00
    tuskit ÷ limit  ×0.50 (0.50–0.60)        ×2.00     ×1.00   ×1.00   ×1.00
    tus-node: failed, HEAD got 500"
  `)
})

test('the tables of the documentation have a row for each workload', () => {
  expect(markdown([result], [])).toMatchInlineSnapshot(`
    "Throughput and processor time divided by those of limit; in brackets, the range over the rounds:

    |  | tuskit | CPU | tus-node | CPU |
    | --- | ---: | ---: | ---: | ---: |
    | many HEADs | ×0.50 (0.50–0.60) | ×2.00 | – | – |

    The same of tuskit, divided by those of the others:

    |  | tuskit ÷ tus-node | CPU |
    | --- | ---: | ---: |
    | many HEADs | – | – |

    Throughput in MiB or requests per second, and processor seconds per GiB or 1,000 requests:

    |  | limit | CPU | tuskit | CPU | tus-node | CPU |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: |
    | many HEADs | 200 | 2.00 | 120 | 4.00 | – | – |

    Peak memory in MiB, and the milliseconds of the median request and of the 99th percentile. Where bytes are moved, these are other requests meanwhile:

    |  | limit: peak | p50 | p99 | tuskit: peak | p50 | p99 | tus-node: peak | p50 | p99 |
    | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
    | many HEADs | 64.0 | 1.00 | 2.00 | 64.0 | 1.00 | 2.00 | – | – | – |

    - head, tus-node: HEAD got 500"
  `)
})

test('figures have three digits', () => {
  expect([1234.5, 99.94, 9.994, 0.0123, 0, NaN, undefined].map(inDigits)).toEqual([
    ...['1235', '99.9', '9.99', '0.012', '0.000', '', ''],
  ])
})

test('the text between the marks is replaced, and missing marks are an error', () => {
  const page = '# Speed\n\n<!-- bench:begin -->\nold\n<!-- bench:end -->\n\nThe end.\n'
  const updated = '# Speed\n\n<!-- bench:begin -->\n\nnew\n\n<!-- bench:end -->\n\nThe end.\n'
  expect(between(page, 'new', 'bench')).toBe(updated)
  expect(between(updated, 'new', 'bench')).toBe(updated)
  expect(() => between(page, 'new', 'bench-s3')).toThrow('must have <!-- bench-s3:begin -->')
  const reversed = '<!-- bench:end --><!-- bench:begin -->'
  expect(() => between(reversed, 'new', 'bench')).toThrow('must have')
})

const workloads = { servers: ['head', 'chunks'], s3: ['s3-large'], databases: ['head'] }

test('the command line chooses sizes, rounds, workloads and servers', () => {
  expect(parseOptions([], workloads)).toMatchObject({ sizes: fullSizes, rounds: 5 })
  expect(parseOptions(['--quick'], workloads)).toMatchObject({ sizes: quickSizes, rounds: 3 })
  const given = ['--rounds', '2', '--only', 'chunks,head', '--servers', 'tusd,limit']
  expect(parseOptions([...given, '--tusd', '/bin/tusd'], workloads)).toMatchObject({
    rounds: 2,
    only: ['chunks', 'head'],
    servers: ['tusd', 'limit'],
    tusd: '/bin/tusd',
  })
})

test('uploads into S3 are measured instead of everything else, with the SDK as a server', () => {
  expect(parseOptions([], workloads)).toMatchObject({ subject: 'servers' })
  const given = ['--s3', '--only', 's3-large', '--servers', 'lib-storage,tuskit']
  expect(parseOptions(given, workloads)).toMatchObject({
    subject: 's3',
    only: ['s3-large'],
    servers: ['lib-storage', 'tuskit'],
  })
})

test('places of records and locks are measured instead of everything else', () => {
  const given = ['--databases', '--servers', 'files,Redis']
  expect(parseOptions(given, workloads)).toMatchObject({
    subject: 'databases',
    servers: ['files', 'Redis'],
  })
})

test.each([
  [['--fast'], /--fast/],
  [['quick'], /quick/],
  [['--rounds', '0'], /--rounds must be a whole number above 0, not 0/],
  [['--rounds', 'many'], /not many/],
  [['--only', 'heads'], /--only must be of head, chunks, not heads/],
  [['--servers', 'tusd'], /--servers must be of limit, tuskit, tus-node, not tusd/],
  [['--databases', '--only', 'chunks'], /--only must be of head, not chunks/],
  [['--databases', '--s3'], /--databases cannot be with --s3/],
  [['--databases', '--before', 'old'], /--databases cannot be with --before/],
])('%j is refused', (args, message) => {
  expect(() => parseOptions(args, workloads)).toThrow(TypeError)
  expect(() => parseOptions(args, workloads)).toThrow(message)
})
