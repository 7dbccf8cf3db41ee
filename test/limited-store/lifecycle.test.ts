import { expect, test } from 'vitest'
import { createHandler, StoreComposer, type ComposerPart } from 'tuskit'
import { LimitedStore } from 'tuskit/limited-store'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'

/** Records that must be open when they are used. */
function limited() {
  const calls: string[] = []
  const called = (call: string) => async () => void calls.push(call)
  const lifecycle = { open: called('open'), close: called('close') }
  const records = new MemoryInfoStore()
  const watched = new Proxy(records, {
    get(target, key) {
      const member = Reflect.get(target, key) as (...args: unknown[]) => unknown
      return (...args: unknown[]) => {
        calls.push(String(key))
        return Reflect.apply(member, target, args)
      }
    },
  })
  const infoStore: ComposerPart = {
    useIn: (composer) =>
      composer.useInfoStore(watched).useInfoLister(watched).useLifecycle(lifecycle),
  }
  const store = new LimitedStore({ limit: 10, store: new MemoryStore(), infoStore })
  return { calls, lifecycle, composer: new StoreComposer().use(store), store }
}

test('a limited store opens and closes the stores that it wraps', async () => {
  const { calls, lifecycle, composer } = limited()
  expect(composer.slots().lifecycles).toEqual([lifecycle])
  const handler = createHandler({ basePath: '/files', composer })
  await handler.open()
  await handler.close()
  expect(calls).toEqual(['open', 'close'])
})

test('count opens the stores first, and a handler does not open them again', async () => {
  const { calls, composer, store } = limited()
  const handler = createHandler({ basePath: '/files', composer })
  await store.count()
  expect(calls).toEqual(['open', 'ids'])
  await expect(handler.uploads.inspect('none')).rejects.toMatchObject({ status: 404 })
  await handler.close()
  expect(calls).toEqual(['open', 'ids', 'get', 'close'])
})

test('count rejects once the stores are closed', async () => {
  const { calls, composer, store } = limited()
  const handler = createHandler({ basePath: '/files', composer })
  await handler.open()
  await handler.close()
  await expect(store.count()).rejects.toMatchObject({ code: 'ERR_SERVER_SHUTDOWN' })
  expect(calls).toEqual(['open', 'close'])
})
