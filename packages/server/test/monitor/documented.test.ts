import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Monitor } from '../../src/monitor/monitor.js'

const page = readFileSync(new URL('../../../../docs/server-operation.md', import.meta.url), 'utf8')

/** The first two columns of the table of metrics: name with labels, and type. */
const rows = [...page.matchAll(/^\| `((?:tusd|tuskit)_\w+)(?:\{([\w,]+)\})?` \| (\w+) \|/gm)].map(
  ([, name, labels = '', type]) => ({ name, type, labels: labels === '' ? [] : labels.split(',') }),
)

test('the page lists every metric, with its type and its labels', async () => {
  const { metrics } = await new Monitor({ worker: 0 }).report()
  const own = metrics.filter(({ name }) => /^(tusd|tuskit)_/.test(name))
  expect(rows.map(({ name, type }) => ({ name, type })).toSorted(byName)).toEqual(
    own.map(({ name, type }) => ({ name, type: String(type) })).toSorted(byName),
  )
  for (const { name, values } of own) {
    const documented = rows.find((row) => row.name === name)!.labels
    const seen = new Set(values.flatMap(({ labels }) => Object.keys(labels)))
    seen.delete('le')
    for (const label of seen) expect(documented, name).toContain(label)
  }
})

interface Named {
  readonly name: string | undefined
}

function byName({ name: one = '' }: Named, { name: two = '' }: Named): number {
  return one < two ? -1 : 1
}
