import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { conformanceSuite, type ConformanceOptions } from 'tuskit/conformance'
import { MemoryStore } from 'tuskit/memory-store'
import { linkTo } from '../../src/conformance/clauses.js'
import { allCases } from '../../src/conformance/all-cases.js'
import { changed, composed, type Broken } from './broken.js'

const appending = 'DataStore: append continues where the last one ended'

/** Runs one case of a suite, and returns its failure. */
async function failureOf(
  options: Omit<ConformanceOptions, 'test' | 'slots'>,
  wanted = appending,
): Promise<Error> {
  let failure: unknown
  const runs: Promise<void>[] = []
  conformanceSuite({
    slots: ['dataStore', 'contentReader'],
    ...options,
    test(name, run) {
      if (name === wanted) runs.push(run().catch((error: unknown) => void (failure = error)))
    },
  })
  expect(runs).toHaveLength(1)
  await Promise.all(runs)
  expect(failure).toBeInstanceOf(Error)
  return failure as Error
}

/** Options of a suite for a memory store of which something is broken. */
function broken(
  breakIt: (sound: MemoryStore) => Partial<MemoryStore>,
  more: Partial<Broken> & { readonly dispose?: () => unknown } = {},
) {
  const { dispose, ...options } = more
  const factory = () => {
    const sound = new MemoryStore()
    const store = changed(sound, breakIt(sound))
    return { ...composed({ dataStore: store, contentReader: store }), ...(dispose && { dispose }) }
  }
  return { factory, ...options }
}

const never = new Promise<never>(() => {})

describe('A case', () => {
  test('fails when a call does not settle in time, and names the call', async () => {
    const { message } = await failureOf({
      ...broken(() => ({ append: () => never })),
      // Longer than the case needs to get there, even on a busy machine.
      caseTimeout: 2_000,
    })
    expect(message).toMatch(
      /^The case, which waits for dataStore\.append, did not settle within 2000 ms$/m,
    )
  })

  test('fails when the factory, or its second instance, does not settle in time', async () => {
    const { message } = await failureOf({ factory: () => never, caseTimeout: 50 })
    expect(message).toMatch(/^The factory did not settle within 50 ms$/m)
    const another = await failureOf({
      ...broken(() => ({})),
      another: () => never,
      caseTimeout: 2_000,
    })
    expect(another.message).toMatch(/^The option 'another' did not settle within 2000 ms$/m)
  })

  test('cleans up after it took too long, and limits that too', async () => {
    const events: string[] = []
    const dispose = () => (events.push('disposed of'), never)
    const { message } = await failureOf({
      ...broken(() => ({ append: () => never }), { dispose }),
      caseTimeout: 2_000,
    })
    expect(message, 'the first failure').toContain('dataStore.append')
    expect(events).toEqual(['disposed of'])
    const slow = await failureOf({
      ...broken(() => ({}), { dispose: () => never }),
      caseTimeout: 2_000,
    })
    expect(slow.message).toMatch(/^dispose did not settle within 2000 ms$/m)
  })

  test('disposes of a subject that comes too late', async () => {
    let disposed = () => {}
    const late = new Promise<void>((resolve) => (disposed = resolve))
    const factory = async () => {
      await delay(100)
      return { ...composed({}), dispose: disposed }
    }
    await failureOf({ factory, caseTimeout: 20 })
    await late
  })

  test('has more time for large bodies', async () => {
    const slow = broken((sound) => ({
      async append(upload, from, body, options) {
        await delay(200)
        return sound.append(upload, from, body, options)
      },
    }))
    const name = 'DataStore: append uses no more memory than declared'
    const { message } = await failureOf({ ...slow, caseTimeout: 100, memory: 1024 * 1024 }, name)
    expect(message, 'not a failure of the limit').toMatch(/bytes of memory are in use/)
  })

  test('names the clause that is broken, and changes nothing else in the failure', async () => {
    const failure = Object.assign(new Error('Out of order'), { code: 'EMINE' })
    const found = await failureOf(broken(() => ({ append: () => Promise.reject(failure) })))
    expect(found).toBe(failure)
    expect(found.message).toBe(
      'Out of order\nSee tuskit/docs/writing-a-store.md#bytes-are-the-truth',
    )
    expect(found.stack).toContain(found.message)
    const frozen = await failureOf(
      broken(() => ({ append: () => Promise.reject(Object.freeze(new Error('Cold'))) })),
    )
    expect(frozen.message).toBe('Cold\nSee tuskit/docs/writing-a-store.md#bytes-are-the-truth')
  })

  test('has a limit that runners get, and mocha in its own way', () => {
    const limits: number[] = []
    const mocha = { timeout: (limit: number) => limits.push(limit) }
    const settled: Promise<void>[] = []
    conformanceSuite({
      ...broken(() => ({})),
      slots: ['dataStore', 'contentReader'],
      caseTimeout: 10_000,
      memory: 1024 * 1024,
      test(name, run, limit) {
        if (name !== appending) return
        limits.push(limit)
        settled.push(Reflect.apply(run, mocha, []))
      },
    })
    expect(limits).toHaveLength(2)
    expect(limits[0]).toBe(limits[1])
    expect(limits[0]).toBeGreaterThan(3 * 10_000 + 4 * 1000)
    return Promise.all(settled)
  })
})

test('every clause that a case names is a heading of the page', () => {
  const links = new Set(allCases.map(({ clause }) => linkTo(clause)))
  expect(links.size).toBeGreaterThan(15)
  for (const link of links) {
    const [path, anchor] = link.replace('tuskit/', '').split('#')
    const page = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    const headings = [...page.matchAll(/^#+ (.+)$/gm)].map(([, text]) => slugOf(text!))
    expect(headings, link).toContain(anchor)
  }
})

/** Returns the anchor of a heading, as GitHub makes it. */
function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')
}

test('a store whose limit is too small for the cases fails with the smallest one', async () => {
  const sound = new MemoryStore({ maxSize: 100_000 })
  const factory = () => composed({ dataStore: sound, contentReader: sound })
  const { message } = await failureOf({ factory })
  expect(message).toContain('Cases need a maxSize of at least 262144 bytes, not 100000')
})
