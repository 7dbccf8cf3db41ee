import { expect, test } from 'vitest'
import { readPage } from './pages.js'

const { text: readme } = await readPage('README.md')
const { text: performance } = await readPage('docs/performance.md')

test.each([
  ['1 GiB in one `PATCH`', '1 GiB in one PATCH'],
  ['files of 4 KiB, each in its `POST`', '2,000 files of 4 KiB, each in its POST'],
  ['`HEAD`, which the bare server serves from memory', '20,000 HEADs of 100 uploads'],
])('README.md has the measured ratios of %s', (row, workload) => {
  const [[toLimit, cpuToLimit], [toOther, cpuToOther]] = rowsOf(performance, workload) as [
    readonly number[],
    readonly number[],
  ]
  const [shown] = rowsOf(readme, row)
  expect(shown).toEqual([toOther, cpuToOther, toLimit, cpuToLimit].map(inTwoDigits))
})

test('README.md has the measured times of an upload that stalls', () => {
  const [, limit, tuskit, other] = /^\| 8 MiB, stalled .* \| (\S+) \| (\S+) \| (\S+) \|$/m
    .exec(performance)!
    .map(Number)
  expect(limit).toBeGreaterThan(0)
  const [, milliseconds, seconds] = /in (\d+) ms,\s+where\s+`@tus\/server` took (\S+) s/.exec(
    readme,
  )!
  expect(Number(milliseconds)).toBe(Math.round(tuskit!))
  expect(Number(seconds)).toBe(inTwoDigits(other! / 1000))
})

/** Returns the ratios in each row of a page that begins with `title`, without their ranges. */
function rowsOf(page: string, title: string): readonly (readonly number[])[] {
  const rows = page.split('\n').filter((line) => line.trim().startsWith(`| ${title}`))
  return rows.map((row) => [...row.matchAll(/×([\d.]+)/g)].map(([, ratio]) => Number(ratio)))
}

function inTwoDigits(ratio: number | undefined): number {
  return Number(ratio!.toPrecision(2))
}
