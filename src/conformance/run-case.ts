import assert from 'node:assert/strict'
import type { Case } from './case.js'
import { linkTo } from './clauses.js'
import type { ConformanceOptions, Subject } from './conformance-options.js'
import { amended } from './fixture/amended.js'
import { Deadline } from './fixture/deadline.js'
import { Fixture, type Unplug } from './fixture/fixture.js'
import { largeSize, timeFor } from './fixture/large-body.js'
import { PendingCalls } from './fixture/pending-calls.js'

const defaults = { memory: 16 * 1024 * 1024, patience: 5_000, caseTimeout: 60_000 } as const

/** The smallest limit of a data store with which all cases can run, in bytes. */
const leastMaxSize = 256 * 1024

/** Returns the time after which any case has settled, in milliseconds. */
export function longest<S extends Subject>(options: ConformanceOptions<S>): number {
  const { memory = defaults.memory, caseTimeout = defaults.caseTimeout } = options
  const more = timeFor(largeSize(memory)) + timeForLeases(options)
  // The case itself, its cleanup, and that of the subject. Their timers can be late.
  const limit = 3 * caseTimeout + more + 5_000
  return Math.min(limit, 2_147_483_647)
}

/** Returns how much longer a case can take that waits for leases. */
function timeForLeases({ lease = 0 }: { readonly lease?: number }): number {
  return 20 * lease
}

/** Runs a case on a fresh subject. A failure ends with a link to the contract. */
export async function runCase<S extends Subject>(
  options: ConformanceOptions<S>,
  one: Case,
): Promise<void> {
  const { caseTimeout = defaults.caseTimeout } = options
  const deadline = new Deadline(caseTimeout)
  if (one.needs.includes('lease')) deadline.extend(timeForLeases(options))
  const failures: unknown[] = []
  /** Runs a part of the case. The first failure counts, because it can cause the others. */
  const attempt = async <T>(part: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await part()
    } catch (failure) {
      failures.push(failure)
      return undefined
    }
  }
  const cleanup = (what: string, work: () => unknown) =>
    attempt(() => new Deadline(caseTimeout).limit(Promise.resolve().then(work), () => what))

  const create = Promise.resolve().then(() => options.factory())
  const subject = await attempt(() => deadline.limit(create, () => 'The factory'))
  if (subject) {
    const pending = new PendingCalls()
    const opened = fixtureOf(options, subject, one, { deadline, pending })
    const fixture = await attempt(() => deadline.limit(opened, () => "The option 'another'"))
    if (fixture) {
      const describe = () => `The case, which waits for ${String(pending)},`
      await attempt(() => deadline.limit(checkedRun(options, one, fixture), describe))
      await cleanup('The cleanup of the case', () => fixture.close())
    }
    await cleanup('dispose', () => subject.dispose?.())
  } else {
    create.then((late) => late.dispose?.()).catch(() => {})
  }
  if (failures.length === 0) return
  throw amended(failures[0], (message) => `${message}\nSee ${linkTo(one.clause)}`)
}

async function fixtureOf<S extends Subject>(
  options: ConformanceOptions<S>,
  subject: S,
  { alone }: Case,
  { deadline, pending }: { readonly deadline: Deadline; readonly pending: PendingCalls },
): Promise<Fixture> {
  const { another, unplug = {}, damage, content } = options
  const faults = Object.entries(unplug).map(([fault, cause]) => {
    return [fault, async () => cause(subject)]
  })
  const other = alone ? undefined : await another?.(subject)
  const slots = pending.watch(subject.composer.slots())
  return new Fixture({
    slots,
    others: other ? pending.watch(other.slots()) : slots,
    unplug: Object.fromEntries(faults) as Unplug,
    cutAfter: async (bytes) => (await options.cutAfter?.(bytes, subject)) ?? (() => {}),
    damage: damage && ((id) => damage(id, subject)),
    places: options.places ?? { good: [], bad: [] },
    grow: async (upload, size) => options.grow?.(upload, size, subject),
    openHandles: async () => options.openHandles?.(subject) ?? 0,
    content: content && (async (upload) => content(upload, subject)),
    memory: options.memory ?? defaults.memory,
    patience: options.patience ?? defaults.patience,
    lease: options.lease ?? 0,
    deadline,
  })
}

async function checkedRun<S extends Subject>(
  options: ConformanceOptions<S>,
  { run, opened }: Case,
  fixture: Fixture,
): Promise<void> {
  for (const filled of [fixture.slots, fixture.others]) {
    const names = Object.entries(filled).flatMap(([name, value]) => (value ? [name] : []))
    assert.deepEqual(names.sort(), [...new Set(options.slots)].sort(), 'The declared slots')
  }
  if (opened) {
    await fixture.open()
    // Cases that open the store themselves do not store that much.
    const { maxSize } = fixture.slots.dataStore ?? {}
    const isSmall = maxSize !== undefined && maxSize > 0 && maxSize < leastMaxSize
    const message = `Cases need a maxSize of at least ${leastMaxSize} bytes, not ${maxSize}`
    assert.ok(!isSmall, message)
  }
  await run(fixture)
}
