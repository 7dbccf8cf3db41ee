import { StoreComposer, type StoreSlots } from 'tuskit'
import { MemoryInfoStore, MemoryLocker, MemoryStore } from 'tuskit/memory-store'
import { describe, expect, test } from 'vitest'
import { memoryComposer } from '../support/serve.js'

const { ...sound } = memoryComposer().slots()
const complete: Required<Omit<StoreSlots, 'lifecycles'>> = {
  ...(sound as Required<StoreSlots>),
  finisher: { finish: async () => {} },
  locker: new MemoryLocker(),
}

const slots = [
  ['dataStore', 'useDataStore', ['maxSize', 'locate', 'create', 'stat', 'append']],
  ['finisher', 'useFinisher', ['finish']],
  ['verifiedAppender', 'useVerifiedAppender', ['appendVerified']],
  ['terminator', 'useTerminator', ['terminate']],
  ['concatenator', 'useConcatenator', ['concatenate']],
  ['contentReader', 'useContentReader', ['read']],
  ['infoStore', 'useInfoStore', ['create', 'get', 'update', 'delete']],
  ['expiryIndex', 'useExpiryIndex', ['expired']],
  ['infoLister', 'useInfoLister', ['ids']],
  ['locker', 'useLocker', ['acquire', 'settle']],
] as const

describe.each(slots)('slot %s', (slot, method, members) => {
  const fill = (value: unknown) => () => new StoreComposer()[method](value as never)

  test('accepts complete parts', () => {
    expect(fill(complete[slot])().slots()[slot]).toBe(complete[slot])
  })

  test.each(members)('refuses a part without %s, and names the member', (missing) => {
    for (const value of [undefined, 7]) {
      const lacking = new Proxy(complete[slot], {
        get: (target, name) => (name === missing ? value : Reflect.get(target, name)),
      })
      const wanted = missing === 'maxSize' && value === 7
      if (wanted) expect(fill(lacking)).not.toThrow()
      else expect(fill(lacking)).toThrow(new RegExp(`slot '${slot}' must be .+ '${missing}', not `))
      if (!wanted) expect(fill(lacking)).toThrow(TypeError)
    }
  })

  test.each([undefined, null, 7, 'store', {}, () => {}])('refuses %o', (value) => {
    expect(fill(value)).toThrow(new RegExp(`^StoreComposer: slot '${slot}' must be an object with`))
  })
})

describe('slot lifecycles', () => {
  const object = () => ({ open: async () => {}, close: async () => {} })

  test('is empty by default, and gets every object once', () => {
    const composer = new StoreComposer()
    expect(composer.slots()).not.toHaveProperty('lifecycles')
    const [first, second] = [object(), object()]
    composer.useLifecycle(first).useLifecycle(second).useLifecycle(first)
    const { lifecycles } = composer.slots()
    expect(lifecycles).toEqual([first, second])
    expect(lifecycles?.[0]).toBe(first)
  })

  test('does not change in the slots that a handler has got', () => {
    const composer = new StoreComposer().useLifecycle(object())
    const { lifecycles } = composer.slots()
    composer.useLifecycle(object())
    expect(lifecycles).toHaveLength(1)
    expect(Object.isFrozen(lifecycles)).toBe(true)
  })

  test.each(['open', 'close'])('refuses an object without %s, and names the member', (missing) => {
    const composer = new StoreComposer()
    const lacking = { ...object(), [missing]: undefined }
    expect(() => composer.useLifecycle(lacking)).toThrow(
      new RegExp(`^StoreComposer: slot 'lifecycles' must be an object with .+ '${missing}', not `),
    )
    expect(composer.slots()).toEqual({})
  })
})

test.each([0, -1, Number.NaN, '10', undefined])('a maxSize of %o is refused', (maxSize) => {
  const { dataStore } = complete
  const store = new Proxy(dataStore, {
    get: (target, name) => (name === 'maxSize' ? maxSize : Reflect.get(target, name)),
  })
  expect(() => new StoreComposer().useDataStore(store)).toThrow("the number 'maxSize'")
})

describe('use', () => {
  test('lets each part fill its slots, and a later part replace an earlier one', () => {
    const [store, infoStore, locker] = [
      new MemoryStore(),
      new MemoryInfoStore(),
      new MemoryLocker(),
    ]
    const composer = new StoreComposer()
    expect(composer.use(new MemoryStore(), infoStore, store, locker)).toBe(composer)
    expect(composer.slots()).toMatchObject({ dataStore: store, infoStore, locker })
  })

  test.each([undefined, null, MemoryStore, {}, [new MemoryStore()], { useIn: true }])(
    'refuses %o, and fills nothing',
    (part) => {
      const composer = new StoreComposer()
      const use = () => composer.use(new MemoryStore(), part as never)
      expect(use).toThrow(TypeError)
      expect(use).toThrow(
        "StoreComposer.use: argument '2' must be an object with the function 'useIn', not ",
      )
      expect(composer.slots()).toEqual({})
    },
  )
})
