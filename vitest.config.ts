import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'
import { isNewer } from './test/services/newer-debian.mjs'

const source = fileURLToPath(new URL('./src/', import.meta.url))
const hasNewerCeph = isNewer('ceph')
const packages = fileURLToPath(new URL('./packages/', import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^tuskit$/, replacement: `${source}index.ts` },
      { find: /^tuskit\/(.+)$/, replacement: `${source}$1/index.ts` },
      { find: /^@tuskit\/([^/]+)$/, replacement: `${packages}$1/src/index.ts` },
      { find: /^@tuskit\/([^/]+)\/(.+)$/, replacement: `${packages}$1/src/$2.ts` },
    ],
  },
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    // Only `npm run test:newer -- ceph` has the service for them.
    exclude: [...configDefaults.exclude, ...(hasNewerCeph ? [] : ['**/newer-ceph/**'])],
    // Most tests wait more than they compute, so more workers than cores are faster.
    maxWorkers: availableParallelism() + 1,
    globalSetup: 'test/support/setup.ts',
    // Generous: a test fails by what it sees, not because the machine is busy.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
})

// Vitest reports failures with Map.groupBy, which Node 20 lacks.
if (!('groupBy' in Map)) Object.assign(Map, { groupBy })

function groupBy<Key, Item>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>()
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item])
  return groups
}
