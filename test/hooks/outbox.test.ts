import { readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  createHandler,
  type HandlerOptions,
  type HookBackend,
  type HookCall,
  type HookOutbox,
  type Hooks,
  StoreComposer,
  TusError,
} from 'tuskit'
import { FileOutbox } from 'tuskit/file-store'
import {
  createUpload,
  fileComposer,
  head,
  memoryComposer,
  openPatch,
  patch,
  post,
  remove,
  serve,
  temporaryDirectory,
  until,
  type Site,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

type Notification = 'postCreate' | 'postFinish' | 'postTerminate'

/** Hooks that note the types of their events, and fail as often as `failures` says. */
function noting(failures: Partial<Record<Notification, number>> = {}) {
  const left = { ...failures }
  const events: string[] = []
  const hook = (name: Notification) => (context: { readonly event: { readonly id: string } }) => {
    if ((left[name] ?? 0) > 0) {
      left[name]!--
      throw new Error(`${name} is down`)
    }
    events.push(context.event.id)
  }
  const hooks: Hooks = {
    postCreate: hook('postCreate'),
    postFinish: hook('postFinish'),
    postTerminate: hook('postTerminate'),
  }
  return { events, hooks }
}

const all = ['a/post-create', 'a/post-finish', 'a/post-terminate']

/** Waits until the outbox has no entries. */
async function drained(directory: string): Promise<void> {
  await until(
    async () => (await readdir(directory)).filter((name) => name.endsWith('.json')),
    (names) => names.length === 0,
  )
}

async function live(site: Site): Promise<void> {
  const url = await createUpload(site, { 'upload-length': '5' })
  expect((await patch(url, 0, 'hello')).status).toBe(204)
  expect((await remove(url)).status).toBe(204)
}

const generateId = () => 'a'

describe('an outbox', () => {
  test('has each event until the hooks have taken it', async () => {
    const directory = await temporaryDirectory()
    const { events, hooks } = noting()
    const stored: string[][] = []
    const outbox = new FileOutbox({ directory })
    const see: Hooks = {
      postFinish: async () => void stored.push(await readdir(directory)),
    }
    const site = await serve({ hooks: [see, hooks], outbox, generateId })
    await live(site)
    await until(
      async () => events,
      (seen) => seen.length === 3,
    )
    expect(events).toEqual(all)
    expect(stored[0]).toContain('a.post-finish.json')
    await drained(directory)
  })

  test('calls a hook that fails again, and only that one, and keeps the order', async () => {
    const directory = await temporaryDirectory()
    const failing = noting({ postCreate: 2, postFinish: 1 })
    const sound = noting()
    const logger = keptLog()
    const hooks = [failing.hooks, sound.hooks]
    const outbox = new FileOutbox({ directory })
    await live(await serve({ hooks, outbox, generateId, logger }))
    await until(
      async () => failing.events,
      (seen) => seen.length === 3,
    )
    await drained(directory)
    expect(failing.events).toEqual(all)
    expect(sound.events).toEqual(all)
    expect(logger.lines.filter(({ level }) => level === 'error')).toHaveLength(3)
  })

  test('lets uploads begin while a backend of events cannot be opened', async () => {
    const directory = await temporaryDirectory()
    const log: string[] = []
    let failures = 2
    const backend: HookBackend = {
      events: ['post-create', 'post-finish'],
      call: ({ event }) => void log.push(event.type),
      async open() {
        log.push('open')
        if (failures-- > 0) throw new Error('The broker is down')
      },
      close: async () => void log.push('close'),
    }
    const outbox = new FileOutbox({ directory })
    const site = await serve({ hooks: backend, outbox, logger: keptLog() })
    await site.handler.open()
    expect(log).toEqual([])
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello')).status).toBe(204)
    await until(
      async () => log,
      (events) => events.includes('post-finish'),
    )
    await site.handler.close()
    expect(log).toEqual(['open', 'open', 'open', 'post-create', 'post-finish', 'close'])
  })

  test('delivers earlier events before progress is reported', async () => {
    const directory = await temporaryDirectory()
    const outbox = new FileOutbox({ directory })
    let looks = 0
    const get = outbox.get.bind(outbox)
    outbox.get = (...parameters) => {
      looks++
      return get(...parameters)
    }
    const events: string[] = []
    let release = () => {}
    const released = new Promise<void>((resolve) => (release = resolve))
    const hooks: Hooks = {
      async postCreate() {
        await released
        events.push('post-create')
      },
      postReceive: ({ offset }) => void events.push(`post-receive ${offset}`),
      postFinish: () => void events.push('post-finish'),
    }
    const site = await serve({ hooks, outbox, progressInterval: 1 })
    const url = await createUpload(site, { 'upload-length': '11' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '11' })
    request.write('hello')
    // Both the delivery and the report have looked into the outbox.
    await until(
      async () => looks,
      (count) => count >= 2,
    )
    release()
    await until(
      async () => events.length,
      (count) => count > 0,
    )
    await drained(directory)
    request.write(' worl')
    await until(
      async () => events.length,
      (count) => count > 1,
    )
    request.end('d')
    expect((await reply).status).toBe(204)
    await until(
      async () => events,
      (seen) => seen.includes('post-finish'),
    )
    expect(events[0]).toBe('post-create')
    expect(events).toContain('post-receive 10')
    expect(events.at(-1)).toBe('post-finish')
  })

  test('gives an event up when a hook has failed for too long, and delivers the next', async () => {
    const directory = await temporaryDirectory()
    const failing = noting({ postCreate: Infinity })
    const sound = noting()
    const site = await serve({
      hooks: [failing.hooks, sound.hooks],
      outbox: new FileOutbox({ directory }),
      outboxRetention: 1,
      generateId,
      logger: keptLog(),
    })
    await live(site)
    await until(
      async () => failing.events,
      (seen) => seen.length === 2,
    )
    await drained(directory)
    expect(sound.events).toEqual(all)
    const path = join(directory, 'given-up', 'a.post-create.json')
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      event: { type: 'post-create', id: 'a/post-create' },
      reason: expect.stringContaining('postCreate is down') as string,
    })

    // Moved back, it is delivered again.
    await site.server.stop()
    await rename(path, join(directory, 'a.post-create.json'))
    const later = noting()
    await serve({
      composer: memoryComposer(),
      hooks: later.hooks,
      outbox: new FileOutbox({ directory }),
    })
    await drained(directory)
    expect(later.events).toEqual(['a/post-create'])
  })

  test('passes the request to a backend, after a restart too', async () => {
    const [directory, uploads] = [await temporaryDirectory(), await temporaryDirectory()]
    const outbox = () => new FileOutbox({ directory })
    const failing = noting({ postFinish: Infinity })
    const options = { composer: fileComposer(uploads), hooks: failing.hooks, logger: keptLog() }
    const site = await serve({ ...options, outbox: outbox(), generateId })
    const url = await createUpload(site, { 'upload-length': '5' })
    expect((await patch(url, 0, 'hello', { 'x-tenant': 'blue' })).status).toBe(204)
    await until(
      async () => options.logger.lines,
      (lines) => lines.some(({ message }) => message === 'The hook post-finish failed'),
    )
    await site.server.stop()

    const calls: HookCall[] = []
    const backend: HookBackend = {
      events: ['post-finish'],
      call: (call) => void calls.push(call),
    }
    const requests: unknown[] = []
    const hooks = [backend, { postFinish: ({ request }) => void requests.push(request) } as Hooks]
    await serve({ composer: fileComposer(uploads), hooks, outbox: outbox() })
    await drained(directory)
    expect(calls).toHaveLength(1)
    const { event, upload, offset, request } = calls[0]!
    expect(event).toEqual({ type: 'post-finish', id: 'a/post-finish' })
    expect(upload).toMatchObject({ id: 'a', state: { kind: 'finished' } })
    expect(offset).toBe(5)
    expect(request).toMatchObject({ method: 'PATCH', target: '/files/a' })
    expect(request!.headers['x-tenant']).toEqual(['blue'])
    expect(requests).toEqual([undefined])
  })
})

/**
 * Where a process dies: before the entry is stored, after it, before the event is confirmed, after
 * that, or when the entry is to be removed.
 */
const deaths = [
  ...(['before put', 'after put', 'before confirm', 'after confirm'] as const),
  'before delete',
] as const

const never = new Promise<never>(() => {})

/** Stores that do nothing any more once their process is dead. */
function mortal(composer: StoreComposer, isDead: () => boolean): StoreComposer {
  const { dataStore, infoStore, terminator } = composer.slots()
  const wrapped = <T extends object>(target: T) =>
    new Proxy(target, {
      get(_, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          isDead() ? never : (Reflect.apply(value, target, args) as unknown)
      },
    })
  return new StoreComposer()
    .useDataStore(wrapped(dataStore!))
    .useInfoStore(wrapped(infoStore!))
    .useTerminator(wrapped(terminator!))
}

/** An outbox whose process dies. Nothing that it is asked for afterwards happens, or returns. */
function dying(outbox: HookOutbox, type: string, death: (typeof deaths)[number]) {
  let isDead = false
  const die = () => ((isDead = true), never)
  const dead: HookOutbox = {
    async put(entry, options) {
      if (isDead) return never
      if (entry.event.type !== type) return outbox.put(entry, options)
      if (death === 'before put' || (death === 'before confirm' && entry.happened)) return die()
      await outbox.put(entry, options)
      if (death === 'after put') return die()
    },
    get: async (id, options) => {
      if (isDead) return never
      const entries = await outbox.get(id, options)
      const isHere = entries.some(({ event }) => event.type === type)
      return isHere && death === 'after confirm' ? die() : entries
    },
    delete: async (entry, options) => {
      if (isDead) return never
      const isHere = entry.event.type === type && death === 'before delete'
      return isHere ? die() : outbox.delete(entry, options)
    },
    giveUp: (...args) => outbox.giveUp(...args),
    uploadIds: (options) => outbox.uploadIds(options),
  }
  return { dead, died: () => isDead }
}

/** An outbox in which no entry is found until it is opened. */
function gated(outbox: HookOutbox) {
  let open!: () => void
  const opened = new Promise<void>((resolve) => (open = resolve))
  const gate: HookOutbox = {
    put: (entry, options) => outbox.put(entry, options),
    get: async (id, options) => {
      await opened
      return outbox.get(id, options)
    },
    delete: (entry, options) => outbox.delete(entry, options),
    giveUp: (...args) => outbox.giveUp(...args),
    uploadIds: (options) => outbox.uploadIds(options),
  }
  return { outbox: gate, open }
}

describe.each(['post-create', 'post-finish', 'post-terminate'] as const)(
  'a process that dies at %s',
  (type) => {
    test.each(
      deaths.flatMap((death) => [
        { death, look: 'at once' },
        { death, look: 'after the upload was removed' },
      ]),
    )('$death loses no event, if the next looks $look', async ({ death, look }) => {
      const [directory, uploads] = [await temporaryDirectory(), await temporaryDirectory()]
      const { dead, died } = dying(new FileOutbox({ directory }), type, death)
      const first = noting()
      const options: Partial<HandlerOptions> = { generateId, logger: keptLog() }
      const before = await serve({
        ...options,
        composer: mortal(fileComposer(uploads), died),
        hooks: first.hooks,
        outbox: dead,
      })
      // Requests of a process that dies get no response.
      const living = live(before).catch(() => {})
      await until(
        async () => died(),
        (is) => is,
      )

      const second = noting()
      const { outbox, open } = gated(new FileOutbox({ directory }))
      if (look === 'at once') open()
      const after = await serve({
        ...options,
        composer: fileComposer(uploads),
        hooks: second.hooks,
        outbox,
      })
      const url = `${after.origin}/files/a`
      const found = await head(url)
      if (found.status === 404 && type === 'post-create') {
        await post(after, { 'upload-length': '5' })
      }
      if ((await head(url)).headers['upload-offset'] === '0') await patch(url, 0, 'hello')
      await remove(url)
      open()
      await drained(directory)
      await until(
        async () => second.events,
        (seen) => [...first.events, ...seen].includes('a/post-terminate'),
      )
      const events = [...first.events, ...second.events]
      // Twice at most, one after the other, because the first process may not have known.
      expect(events.filter((event, i) => event !== events[i - 1])).toEqual(all)
      before.server.closeAllConnections()
      await living
    })
  },
)

test('an outbox that cannot be read at the start is read again soon', async () => {
  const [directory, uploads] = [await temporaryDirectory(), await temporaryDirectory()]
  const { dead, died } = dying(new FileOutbox({ directory }), 'post-create', 'after confirm')
  const composer = mortal(fileComposer(uploads), died)
  const before = await serve({ composer, hooks: noting().hooks, outbox: dead, generateId })
  const living = post(before, { 'upload-length': '5' }).catch(() => {})
  await until(
    async () => died(),
    (is) => is,
  )

  // A broker may start later than the servers.
  let opens = 0
  const calls: string[] = []
  const backend: HookBackend = {
    events: ['post-create'],
    call: ({ event }) => void calls.push(event.id),
    async open() {
      if (opens++ === 0) throw new TusError('ERR_HOOK_UNAVAILABLE')
    },
    async close() {},
  }
  const outbox = new FileOutbox({ directory })
  await serve({ composer: fileComposer(uploads), hooks: backend, outbox, logger: keptLog() })
  await until(
    async () => calls,
    (seen) => seen.length > 0,
  )
  expect(calls).toEqual(['a/post-create'])
  before.server.closeAllConnections()
  await living
})

test('an entry of an event that has not happened is removed before it can happen', async () => {
  const [directory, uploads] = [await temporaryDirectory(), await temporaryDirectory()]
  const { dead, died } = dying(new FileOutbox({ directory }), 'post-create', 'after put')
  const composer = mortal(fileComposer(uploads), died)
  const before = await serve({ composer, hooks: noting().hooks, outbox: dead, generateId })
  const living = post(before, { 'upload-length': '5' }).catch(() => {})
  await until(
    async () => died(),
    (is) => is,
  )

  // The client creates the upload again just when the entry is to be removed.
  const outbox = new FileOutbox({ directory })
  let creating: Promise<unknown> | undefined
  let puts = 0
  const slow: HookOutbox = {
    async put(entry, options) {
      puts++
      await outbox.put(entry, options)
    },
    async delete(entry) {
      if (creating === undefined) {
        creating = post(after, { 'upload-length': '5' })
        for (let round = 0; round < 50 && puts < 2; round++) await head(`${after.origin}/files/b`)
      }
      await outbox.delete(entry)
    },
    get: (id) => outbox.get(id),
    giveUp: (entry, reason) => outbox.giveUp(entry, reason),
    uploadIds: (options) => outbox.uploadIds(options),
  }
  const { events, hooks } = noting()
  const after = await serve({ composer: fileComposer(uploads), hooks, outbox: slow, generateId })
  await until(
    async () => creating,
    (started) => started !== undefined,
  )
  await creating
  await until(
    async () => events,
    (seen) => seen.length > 0,
  )
  expect(events).toEqual(['a/post-create'])
  before.server.closeAllConnections()
  await living
})

test.each<[object, string]>([
  [{ outbox: {} }, "option 'outbox' must be a HookOutbox, such as new FileOutbox(…), not {}"],
  [{ outboxRetention: 0 }, "option 'outboxRetention' must be a number of milliseconds"],
])('%j is refused', (options, message) => {
  const given = { basePath: '/files', composer: memoryComposer(), ...options }
  expect(() => createHandler(given as never)).toThrow(message)
})
