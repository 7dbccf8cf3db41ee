import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bench, failed } from './bench.js'
import { Content, WrongBytes } from './content.js'
import { s3Contestants } from './contestants.js'
import { markdown } from './markdown.js'
import { report } from './report.js'
import { S3Place } from './s3-place.js'
import { contentSize, tinySizes } from './sizes.js'
import { s3Names, s3Workloads } from './workloads/s3.js'

const build = fileURLToPath(new URL('../.dist', import.meta.url))
const content = new Content(contentSize(tinySizes))
let directory: string
let place: S3Place

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuskit-bench-test-'))
  place = await S3Place.create()
})

afterAll(async () => {
  await place.close()
  await rm(directory, { recursive: true, force: true })
})

test('every workload of S3 gives figures of both servers and of the SDK', async () => {
  const plan = s3Workloads(place).map(
    (workload) => [workload, s3Contestants(place, { build })] as const,
  )
  const setting = { content, sizes: tinySizes, rounds: 1, directory }
  const results = await bench(plan, setting, () => {})
  expect(results.map(({ workload }) => workload)).toEqual(s3Names)
  for (const result of results) {
    expect(result.outcomes.map(({ contestant }) => contestant)).toEqual([
      ...['lib-storage', 'tuskit', 'tus-node'],
    ])
    for (const { contestant, rounds, failure } of result.outcomes) {
      expect(failure, contestant).toBeUndefined()
      const values = rounds.flatMap((round) => result.figures.map(({ key }) => round[key]))
      expect(values.every(Number.isFinite), `${contestant}: ${values.join()}`).toBe(true)
      expect(values).toHaveLength(result.figures.length)
    }
    expect(report(result)).toContain('tuskit ÷ lib-storage')
  }
  expect(failed(results)).toBe(false)
  const tables = markdown(results, [])
  expect(tables).toContain('| 20 MiB into S3 |')
  expect(tables).toContain('3 uploads of 12 MiB into S3 at a time: peak MiB above idle')
  expect(tables).not.toContain('p99')
})

test('an object with other bytes ends the bench', async () => {
  const client = new S3Client(place.config)
  await client.send(new PutObjectCommand({ Bucket: place.bucket, Key: 'a', Body: 'hello' }))
  await expect(place.verifyAndEmpty(content, ['a'], [[0, 5]])).rejects.toThrow(WrongBytes)
  client.destroy()
})
