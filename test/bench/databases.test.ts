import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bench, failed } from './bench.js'
import { Content } from './content.js'
import { databaseContestants, databaseKinds } from './contestants.js'
import { DatabasePlace } from './database-place.js'
import { markdown } from './markdown.js'
import { contentSize, tinySizes } from './sizes.js'
import { databaseNames, databaseWorkloads } from './workloads/databases.js'

const build = fileURLToPath(new URL('../.dist', import.meta.url))
let directory: string
let place: DatabasePlace

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuskit-bench-test-'))
  place = await DatabasePlace.create()
})

afterAll(async () => {
  await place.close()
  await rm(directory, { recursive: true, force: true })
})

test('every workload gives figures of tuskit and of the database, for each place', async () => {
  const plan = databaseWorkloads(place).map(
    (workload) => [workload, databaseContestants(place, build)] as const,
  )
  const content = new Content(contentSize(tinySizes))
  const setting = { content, sizes: tinySizes, rounds: 1, directory }
  const results = await bench(plan, setting, () => {})
  expect(results.map(({ workload }) => workload)).toEqual(databaseNames)
  for (const { outcomes, figures } of results) {
    expect(outcomes.map(({ contestant }) => contestant)).toEqual(databaseKinds)
    for (const { contestant, rounds, failure } of outcomes) {
      expect(failure, contestant).toBeUndefined()
      const values = rounds.flatMap((round) => figures.map(({ key }) => round[key]))
      expect(values.every(Number.isFinite), `${contestant}: ${values.join()}`).toBe(true)
    }
  }
  expect(failed(results)).toBe(false)
  expect(markdown(results, [])).toContain('| PostgreSQL | CPU | database |')
})
