import { expect, test } from 'vitest'
import type {
  ExpiryIndex,
  InfoLister,
  InfoStore,
  Stat,
  StoreSlots,
  UploadBody,
  WriteOptions,
} from 'tuskit'
import { conformanceSuite, type ConformanceOptions, type SlotName } from 'tuskit/conformance'
import { MemoryStore } from 'tuskit/memory-store'

/** Something that breaks a promise, and the case that notices. */
export interface Broken extends Partial<ConformanceOptions> {
  readonly title: string
  readonly caught: string
  readonly slots: ConformanceOptions['slots']
  readonly factory: ConformanceOptions['factory']
  /** Makes a sound second instance, which must not hide the mistake. */
  readonly sibling?: ConformanceOptions['another']
}

type Cases = ReadonlyMap<string, () => Promise<void>>

/** The cases of a suite, by name. */
function casesOf(options: Omit<ConformanceOptions, 'test'>): Cases {
  const cases = new Map<string, () => Promise<void>>()
  conformanceSuite({ ...options, test: (name, run) => cases.set(name, run) })
  return cases
}

/**
 * Tests that the case meant for each broken part catches it, and that each case of their
 * capabilities catches at least one.
 */
export function testCaught(
  broken: readonly Broken[],
  sound: Omit<ConformanceOptions, 'test'>,
): void {
  test.each(broken.map((entry) => [entry.title, entry] as const))('%s', async (_, entry) => {
    await expectCaught(entry)
  })

  const alone = broken.filter(({ another, sibling }) => !another && sibling)
  test.each(alone.map((entry) => [entry.title, entry] as const))(
    '%s, next to a sound instance',
    async (_, entry) => {
      await expectCaught({ ...entry, another: entry.sibling! })
    },
  )

  test('every case catches something', () => {
    const caught = new Set(broken.map((entry) => entry.caught))
    const capabilities = new Set([...caught].map(capabilityOf))
    const cases = [...casesOf(sound).keys()].filter((name) => capabilities.has(capabilityOf(name)))
    expect(cases.length).toBeGreaterThan(0)
    expect(cases.filter((name) => !caught.has(name))).toEqual([])
  })
}

/** Runs the case that is meant for a mistake. It must fail. */
async function expectCaught({ title: _, caught, sibling: __, ...options }: Broken): Promise<void> {
  const run = casesOf({ patience: 200, memory: Infinity, ...options }).get(caught)
  expect(run, `There is a case "${caught}"`).toBeDefined()
  const failure: unknown = await run!().then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(failure, `"${caught}" fails`).toBeInstanceOf(Error)
  // That would be the mistake of a case, or of the breakage.
  expect(failure).not.toBeInstanceOf(TypeError)
}

/** Returns the part of a case name before the colon. */
function capabilityOf(name: string): string {
  return name.split(':')[0]!
}

/** An object of which some members are replaced. */
export function changed<T extends object>(target: T, changes: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      const value: unknown = Reflect.get(key in changes ? changes : target, key)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

/** Returns the result of a factory whose composer has these slots. */
export function composed(slots: StoreSlots) {
  return { composer: { slots: () => slots } }
}

/** Returns the result of a factory whose records all have the same store. */
export function composedRecords(store: InfoStore & ExpiryIndex & InfoLister) {
  return composed({ infoStore: store, expiryIndex: store, infoLister: store })
}

/** Options of a broken store that is made of a memory store. */
interface BreakingOptions extends Partial<Broken> {
  /** The members that are broken in a second instance over the same storage. */
  readonly elsewhere?: (sound: MemoryStore) => Partial<MemoryStore>
}

/** Makes memory stores of which something is broken that belongs to `slot`. */
export function breaking(slot: Exclude<SlotName, 'finisher' | 'infoStore' | 'locker'>) {
  const slots = [...new Set(['dataStore', 'contentReader', slot] as const)]
  return (
    caught: string,
    title: string,
    breakIt: (sound: MemoryStore) => Partial<MemoryStore>,
    { elsewhere, ...options }: BreakingOptions = {},
  ): Broken => {
    const instance = (sound: MemoryStore, broken: Partial<MemoryStore>) => {
      const store = changed(sound, broken)
      return { sound, ...composed(Object.fromEntries(slots.map((name) => [name, store]))) }
    }
    const factory = () => {
      const sound = new MemoryStore()
      return instance(sound, breakIt(sound))
    }
    const next = (breakNext: typeof breakIt) => (subject: object) => {
      const { sound } = subject as ReturnType<typeof instance>
      return instance(sound, breakNext(sound)).composer
    }
    return {
      caught: `${labelOf(slot)}: ${caught}`,
      title,
      slots,
      factory,
      ...(elsewhere && { another: next(elsewhere) }),
      sibling: next(() => ({})),
      ...options,
    }
  }
}

/** Keeps the first result of `stat`, as a cache without an end does. */
export function remembering(sound: MemoryStore): Partial<MemoryStore> {
  const found = new Map<string, Promise<Stat>>()
  return {
    stat(upload, options) {
      const stat = found.get(upload.id) ?? sound.stat(upload, options)
      found.set(upload.id, stat)
      return stat
    },
  }
}

/** The interface that belongs to a slot. */
export function labelOf(slot: SlotName): string {
  return slot[0]!.toUpperCase() + slot.slice(1)
}

/** Every option that switches cases on, for a count of the cases of a slot. */
export function everything(...slots: readonly SlotName[]): Omit<ConformanceOptions, 'test'> {
  return {
    slots,
    factory: () => composed({}),
    content: () => Buffer.alloc(0),
    another: () => composed({}).composer,
    unplug: { down: () => () => {}, paused: () => () => {} },
    cutAfter: () => () => {},
    damage: () => {},
    places: { good: [{}], bad: [] },
    grow: () => {},
    openHandles: () => 0,
    fenced: true,
    lease: 1000,
  }
}

/** The options of somebody who does not look whether the signal has aborted. */
export function deaf<T extends WriteOptions>(options: T): T {
  return { ...options, signal: new AbortController().signal }
}

/** The options of somebody who does not ask whether the lock is held. */
export function careless<T extends WriteOptions>(options: T): T {
  return { ...options, fence: { ...options.fence, held: () => true } }
}

/** Returns the options of a caller that neither checks its lock nor passes its token on. */
export function tokenless<T extends WriteOptions>(options: T): T {
  return { ...options, fence: { token: 1, forced: false, held: () => true, shutOut: () => {} } }
}

/** A body whose batches are changed on their way. */
export function altered(
  body: UploadBody,
  alter: (batches: AsyncIterable<readonly Buffer[]>) => AsyncGenerator<readonly Buffer[]>,
): UploadBody {
  return {
    size: body.size,
    readable: () => body.readable(),
    [Symbol.asyncIterator]: () => alter(body),
  }
}

/** All bytes of a body. */
export async function gathered(body: UploadBody): Promise<Buffer> {
  const buffers: Buffer[] = []
  for await (const batch of body) buffers.push(...batch)
  return Buffer.concat(buffers)
}

/** A body of one batch. */
export function bodyOf(bytes: Buffer): UploadBody {
  return altered({ size: bytes.length } as UploadBody, async function* () {
    yield [bytes]
  })
}
