import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bench, failed } from './bench.js'
import { Content, WrongBytes } from './content.js'
import {
  allContestants,
  checksumContestants,
  corrupting,
  optionContestants,
  type Contestant,
} from './contestants.js'
import { markdown } from './markdown.js'
import { report } from './report.js'
import type { Result } from './results.js'
import { contentSize, tinySizes } from './sizes.js'
import type { Workload } from './workload.js'
import { checksumOptions, optionWorkloads, workloads } from './workloads/workloads.js'

const build = fileURLToPath(new URL('../.dist', import.meta.url))
const content = new Content(contentSize(tinySizes))
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuskit-bench-test-'))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

async function run(workload: Workload, contestants: readonly Contestant[]): Promise<Result> {
  const setting = { content, sizes: tinySizes, rounds: 1, directory }
  const [result] = await bench([[workload, contestants]], setting, () => {})
  return result!
}

describe.concurrent('every workload gives figures', () => {
  /** Features that @tus/server does not offer. */
  const withoutTusNode = ['sha1', 'sha256', 'crc32', 'concat']

  test.each(workloads)('$name, of each server that supports it', async (workload) => {
    const result = await run(workload, allContestants({ build }))
    const missing = withoutTusNode.includes(workload.name) ? ['tus-node'] : []
    for (const { contestant, rounds, failure, unsupported } of result.outcomes) {
      if (missing.includes(contestant)) {
        expect([failure, unsupported, rounds]).toEqual([expect.any(String), true, []])
        continue
      }
      expect(failure, contestant).toBeUndefined()
      expect(rounds).toHaveLength(1)
      for (const figures of rounds) {
        const values = workload.figures.map(({ key }) => figures[key])
        expect(values.every(Number.isFinite), `${contestant}: ${values.join()}`).toBe(true)
      }
    }
    expect(failed([result])).toBe(false)
    const text = report(result)
    expect(text).toContain('tuskit ÷ limit')
    expect(markdown([result], [])).toContain(result.title)
  })

  test.each(optionWorkloads)('$name, of tuskit with its options', async (workload) => {
    const result = await run(workload, optionContestants(build))
    expect(result.outcomes.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined])
    expect(markdown([], [result])).toContain('| durability disk | CPU | FileLocker | CPU |')
  })

  test('of tuskit with each checksum', async () => {
    const { outcomes } = await run(checksumOptions, checksumContestants(build))
    expect(outcomes.map(({ rounds }) => rounds.length)).toEqual([1, 1, 1, 1, 1, 1])
  })
})

describe('the bench fails when stored bytes differ', () => {
  const names = ['one-patch', 'chunks', 'parallel', 'small-patch', 'slow', 'sha1', 'concat', 'get']
  const chosen = workloads.filter(({ name }) => [...names, 'resume'].includes(name))

  test.each(chosen)('in $name', async (workload) => {
    await expect(run(workload, [corrupting])).rejects.toThrow(WrongBytes)
  })

  test('whatever bit is wrong, and if a byte is missing', async () => {
    const path = join(directory, 'file')
    const slice = [1_000, 2_100_000] as const
    const bytes = Buffer.from(content.bytes(slice))
    await writeFile(path, bytes)
    await content.verify(path, slice)
    await writeFile(path, bytes.subarray(1))
    await expect(content.verify(path, slice)).rejects.toThrow(WrongBytes)
    bytes[bytes.length - 1]! ^= 0x80
    await writeFile(path, bytes)
    await expect(content.verify(path, slice)).rejects.toThrow(WrongBytes)
  })
})

test('a server that does not choose its port is given one', async () => {
  const limit = allContestants({ build })[0]!
  const portless: Contestant = {
    name: 'tusd',
    choosesPort: false,
    command: (folder, port) => {
      const [node, program] = limit.command(folder, 0)
      return [node, program!, JSON.stringify({ directory: folder, port })]
    },
  }
  const result = await run(workloads[0]!, [portless])
  expect(result.outcomes[0]!.failure).toBeUndefined()
})

describe('a server that fails', () => {
  const dying: Contestant = {
    name: 'tus-node',
    choosesPort: true,
    command: () => [process.execPath, '-e', 'throw new Error("no disk")'],
  }

  test('has an empty cell with the reason, and the others continue', async () => {
    const limit = allContestants({ build })[0]!
    const result = await run(
      workloads.find(({ name }) => name === 'head')!,
      [limit, dying],
    )
    expect(report(result)).toMatch(/^tus-node: failed, not started: .*no disk$/m)
    expect(result.outcomes[0]!.rounds).toHaveLength(1)
    expect(failed([result])).toBe(false)
  })

  test('fails the bench if it is limit or tuskit', async () => {
    const ours = { ...dying, name: 'tuskit' }
    const result = await run(
      workloads.find(({ name }) => name === 'head')!,
      [ours],
    )
    expect(failed([result])).toBe(true)
  })
})
