import { describe } from 'vitest'
import { TusError, type ChangeOptions, type Upload } from 'tuskit'
import { MemoryInfoStore } from 'tuskit/memory-store'
import { changed, composedRecords, everything, labelOf, testCaught, type Broken } from './broken.js'
import { openedByExpiry, openedByLists, openedByRecords } from './broken-connections.js'
import { brokenRecordContents } from './broken-record-contents.js'
import { brokenExpiryFaults, brokenListFaults } from './broken-list-faults.js'
import { brokenRecordFaults } from './broken-record-faults.js'
import { brokenExpiryRaces, brokenListRaces, brokenRecordRaces } from './broken-record-races.js'
import { noAbort } from '../support/stages.js'

const { signal } = new AbortController()
const slots = ['infoStore', 'expiryIndex', 'infoLister'] as const

type Breakage = (sound: MemoryInfoStore) => Partial<MemoryInfoStore>

/** Makes a sound second instance. */
function sibling(subject: object) {
  return composedRecords((subject as { readonly sound: MemoryInfoStore }).sound).composer
}

/** Makes memory info stores of which something is broken that belongs to `slot`. */
function breaking(slot: (typeof slots)[number]) {
  return (caught: string, title: string, breakIt: Breakage, options?: Partial<Broken>): Broken => {
    const factory = () => {
      const sound = new MemoryInfoStore()
      return { sound, ...composedRecords(changed(sound, breakIt(sound))) }
    }
    return { caught: `${labelOf(slot)}: ${caught}`, title, slots, factory, sibling, ...options }
  }
}

/** Records in memory that can be damaged, which those of the real one cannot. */
class FragileInfoStore extends MemoryInfoStore {
  readonly damaged = new Set<string>()

  #check(id: string): void {
    if (this.damaged.has(id)) throw new TusError('ERR_INFO_CORRUPT')
  }

  override async get(id: string) {
    this.#check(id)
    return super.get(id)
  }

  override async update(upload: Upload, options: ChangeOptions) {
    this.#check(upload.id)
    return super.update(upload, options)
  }

  override async delete(id: string, options: ChangeOptions) {
    this.damaged.delete(id)
    return super.delete(id, options)
  }
}

/** Makes info stores that do something wrong about a damaged record. */
function mishandling(slot: (typeof slots)[number]) {
  return (
    caught: string,
    title: string,
    breakIt: (sound: FragileInfoStore) => Partial<FragileInfoStore>,
  ): Broken => {
    const factory = () => {
      const sound = new FragileInfoStore()
      return { sound, ...composedRecords(changed(sound, breakIt(sound))) }
    }
    const damage: Broken['damage'] = (id, subject) =>
      (subject as ReturnType<typeof factory>).sound.damaged.add(id)
    return { caught: `${labelOf(slot)}: ${caught}`, title, slots, factory, sibling, damage }
  }
}

const pause = () => new Promise((resolve) => setImmediate(resolve))

/** Writes whatever the revision is. */
async function put(sound: MemoryInfoStore, upload: Upload): Promise<void> {
  await sound.delete(upload.id, noAbort)
  await sound.create(upload, noAbort)
}

async function collected(ids: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = []
  for await (const id of ids) all.push(id)
  return all
}

const info = breaking('infoStore')

const damagedInfo = mishandling('infoStore')

const infoStores: readonly Broken[] = [
  damagedInfo('get of a damaged record rejects', 'takes damage for absence', (sound) => ({
    get: (id) => sound.get(id).catch(() => undefined),
  })),
  damagedInfo(
    'a damaged record does not affect the others',
    'rejects everything then',
    (sound) => ({
      async get(id) {
        if (sound.damaged.size > 0) throw new TusError('ERR_INFO_CORRUPT')
        return sound.get(id)
      },
    }),
  ),
  damagedInfo(
    'update of a damaged record rejects and leaves it damaged',
    'writes over what it cannot read',
    (sound) => ({
      async update(upload, options) {
        if (sound.damaged.has(upload.id)) await put(sound, upload)
        else await sound.update(upload, options)
      },
    }),
  ),
  damagedInfo(
    'create over a damaged record replaces it, or rejects and leaves it damaged',
    'says that it created what it did not',
    (sound) => ({
      async create(upload, options) {
        if (!sound.damaged.has(upload.id)) await sound.create(upload, options)
      },
    }),
  ),
  damagedInfo(
    'create over a damaged record replaces it, or rejects and leaves it damaged',
    'removes what it refuses to replace',
    (sound) => ({
      async create(upload, options) {
        if (!sound.damaged.has(upload.id)) return sound.create(upload, options)
        await sound.delete(upload.id, options)
        throw new TusError('ERR_ID_TAKEN')
      },
    }),
  ),
  damagedInfo('delete removes a damaged record', 'has to read what it deletes', (sound) => ({
    async delete(id, options) {
      if ((await sound.get(id)) !== undefined) await sound.delete(id, options)
    },
  })),
  info(
    'get returns undefined when there is no record',
    'rejects for what is not there',
    (sound) => ({
      async get(id) {
        const found = await sound.get(id)
        if (found === undefined) throw new TusError('ERR_UPLOAD_NOT_FOUND')
        return found
      },
    }),
  ),
  info('get returns every member of a created record', 'forgets secrets', (sound) => ({
    create({ storage: { kind, at }, ...upload }) {
      return sound.create({ ...upload, storage: { kind, at } }, noAbort)
    },
  })),
  info('get returns every member of a created record', 'cuts at 64 KiB', (sound) => ({
    create: (upload) => {
      const { raw, values } = upload.metadata
      return sound.create({ ...upload, metadata: { raw: raw.slice(0, 65_536), values } }, noAbort)
    },
  })),
  info('get returns every member of a created record', 'gives values a prototype', (sound) => ({
    async get(id) {
      const found = await sound.get(id)
      if (found === undefined) return undefined
      const { raw, values } = found.metadata
      return { ...found, metadata: { raw, values: { ...values } } }
    },
  })),
  info(
    'create rejects with ERR_ID_TAKEN, and leaves the record unchanged',
    'overwrites',
    (sound) => ({
      create: (upload) => put(sound, upload),
    }),
  ),
  info('update replaces the record with the next revision', 'merges records', (sound) => ({
    async update(upload) {
      await sound.update({ ...(await sound.get(upload.id)), ...upload }, noAbort)
    },
  })),
  info(
    'update rejects with ERR_INFO_CONFLICT for any other revision',
    'takes any revision',
    (sound) => ({
      async update(upload) {
        if (!(await sound.get(upload.id))) throw new TusError('ERR_INFO_CONFLICT')
        await put(sound, upload)
      },
    }),
  ),
  info(
    'update rejects with ERR_INFO_CONFLICT for any other revision',
    'takes later revisions',
    (sound) => ({
      async update(upload) {
        const found = await sound.get(upload.id)
        if ((found?.revision ?? Infinity) >= upload.revision)
          throw new TusError('ERR_INFO_CONFLICT')
        await put(sound, upload)
      },
    }),
  ),
  info(
    'update rejects with ERR_INFO_CONFLICT when there is no record',
    'creates on update',
    (sound) => ({
      async update(upload) {
        if (await sound.get(upload.id)) await sound.update(upload, noAbort)
        else await sound.create(upload, noAbort)
      },
    }),
  ),
  info(
    'get during updates returns one complete record after another',
    'removes before it writes',
    (sound) => ({
      async update(upload) {
        await sound.delete(upload.id, noAbort)
        await pause()
        await sound.create(upload, noAbort)
      },
    }),
  ),
  info(
    'get during updates returns one complete record after another',
    'knows no record that it is writing',
    (sound) => {
      const writing = new Set<string>()
      return {
        async update(upload) {
          writing.add(upload.id)
          await pause()
          await sound.update(upload, noAbort)
          writing.delete(upload.id)
        },
        get: async (id) => (writing.has(id) ? undefined : sound.get(id)),
      }
    },
  ),
  ...(['create', 'update', 'delete'] as const).map((method) =>
    info(
      'create, update and delete change nothing when their signal has aborted',
      `heeds no signal in ${method}`,
      (sound) => ({ [method]: (subject: never) => sound[method](subject, noAbort) }),
    ),
  ),
  ...(['create', 'get', 'update', 'delete'] as const).map((method) =>
    info(
      'create, get, update and delete settle when their signal aborts during the call',
      `does not settle when a ${method} is not wanted any more`,
      (sound) => ({
        async [method](subject: never, options: ChangeOptions) {
          await pause()
          if (options.signal.aborted) await new Promise(() => {})
          return sound[method](subject, options)
        },
      }),
    ),
  ),
  info('delete removes the record, and succeeds without one', 'rejects an absence', (sound) => ({
    async delete(id) {
      if (!(await sound.get(id))) throw new TusError('ERR_UPLOAD_NOT_FOUND')
      await sound.delete(id, noAbort)
    },
  })),
  info(
    'delete removes the record, and succeeds without one',
    'never gives an id again',
    (sound) => {
      const deleted = new Set<string>()
      return {
        async delete(id) {
          if (await sound.get(id)) deleted.add(id)
          await sound.delete(id, noAbort)
        },
        async create(upload) {
          if (deleted.has(upload.id)) throw new TusError('ERR_ID_TAKEN')
          await sound.create(upload, noAbort)
        },
      }
    },
  ),
  info('update counts more revisions than a byte does', 'keeps revisions in 8 bits', (sound) => ({
    async update(upload) {
      const stored = await sound.get(upload.id)
      if (stored && ((upload.revision - stored.revision) & 255) === 1) return put(sound, upload)
      throw new TusError('ERR_INFO_CONFLICT')
    },
  })),
  info('records with similar ids stay separate', 'deletes by prefix', (sound) => ({
    async delete(id) {
      for (const other of await collected(sound.ids({ signal }))) {
        if (other.startsWith(id)) await sound.delete(other, noAbort)
      }
    },
  })),
  info('records with similar ids stay separate', 'mixes up what it has read', (sound) => {
    const known = new Map<string, Upload>()
    return {
      async get(id) {
        const [name] = id.split('.') as [string]
        const found = known.get(name) ?? (await sound.get(id))
        if (found) known.set(name, found)
        return found
      },
    }
  }),
]

const index = breaking('expiryIndex')

/** Finds what `isOver` says. */
function finding(isOver: (expiresAt: number, now: number, upload: Upload) => boolean): Breakage {
  return (sound) => ({
    async *expired(now) {
      for (const id of await collected(sound.ids({ signal }))) {
        const upload = await sound.get(id)
        const expiresAt = Date.parse(upload?.expiresAt ?? '')
        if (upload && isOver(expiresAt, now.getTime(), upload)) yield id
      }
    },
  })
}

const boundary = 'expired yields an id from the millisecond of its expiresAt, and not earlier'

const changes = 'expired follows updates and deletions, including those of another instance'
const manyExpired = 'expired yields more ids than one page of any service, also of the same time'

const expiryIndexes: readonly Broken[] = [
  // As MemoryInfoStore does, whose records cannot be damaged.
  mishandling('expiryIndex')(
    'expired yields the other records despite a damaged one',
    'stops at what it cannot read',
    () => ({}),
  ),
  index('expired yields nothing when there are no records', 'yields what is not there', () => ({
    async *expired() {
      yield 'nobody'
    },
  })),
  index(
    boundary,
    'yields too early, by seconds',
    finding((at, now) => Math.floor(at / 1000) <= now / 1000),
  ),
  index(
    boundary,
    'yields a millisecond too late',
    finding((at, now) => at < now),
  ),
  index(
    boundary,
    'keeps seconds in 32 bits',
    finding((at, now) => ((at / 1000) | 0) * 1000 + (at % 1000) <= now),
  ),
  index(
    boundary,
    'yields what never expires',
    finding((at, now) => !(at > now)),
  ),
  index(
    'expired yields ids of every state and protocol',
    'looks at open uploads only',
    finding((at, now, { state }) => at <= now && state.kind === 'open'),
  ),
  index(changes, 'knows creations only', (sound) => {
    const times = new Map<string, number>()
    return {
      async create(upload) {
        await sound.create(upload, noAbort)
        if (upload.expiresAt !== undefined) times.set(upload.id, Date.parse(upload.expiresAt))
      },
      async *expired(now) {
        for (const [id, time] of times) if (time <= now.getTime()) yield id
      },
    }
  }),
  index(changes, 'keeps no time for a record that did not expire at first', (sound) => ({
    async update({ expiresAt, ...upload }) {
      const isKnown = (await sound.get(upload.id))?.expiresAt !== undefined
      await sound.update({ ...upload, ...(isKnown && expiresAt && { expiresAt }) }, noAbort)
    },
  })),
  index(changes, 'keeps the later one of two times', (sound) => ({
    async update(upload) {
      const { expiresAt } = upload
      const before = (await sound.get(upload.id))?.expiresAt
      const isSooner = expiresAt && before && expiresAt < before
      await sound.update({ ...upload, ...(isSooner && { expiresAt: before }) }, noAbort)
    },
  })),
  index(manyExpired, 'looks at 500 records', (sound) => ({
    async *expired(now, options) {
      yield* (await collected(sound.expired(now, options))).slice(0, 500)
    },
  })),
  index(manyExpired, 'continues after the time of the last one', (sound) => ({
    async *expired(now, options) {
      let page: Upload[] = []
      do {
        const last = page.at(-1)?.expiresAt ?? ''
        page = []
        for (const id of await collected(sound.expired(now, options))) {
          const upload = await sound.get(id)
          if (upload!.expiresAt! > last && page.length < 100) page.push(upload!)
        }
        for (const { id } of page) yield id
      } while (page.length > 0)
    },
  })),
  index('expired continues when records are removed meanwhile', 'counts positions', (sound) => ({
    async *expired(now, options) {
      for (let position = 0; ; position++) {
        const id = (await collected(sound.expired(now, options)))[position]
        if (id === undefined) return
        yield id
      }
    },
  })),
]

const lister = breaking('infoLister')

const infoListers: readonly Broken[] = [
  mishandling('infoLister')(
    'ids yields the id of a damaged record among the others',
    'leaves out what it cannot read',
    (sound) => ({
      async *ids(options) {
        for await (const id of sound.ids(options)) if (!sound.damaged.has(id)) yield id
      },
    }),
  ),
  lister(
    'ids yields nothing when there are no records',
    'rejects where there is nothing',
    (sound) => ({
      async *ids(options) {
        const ids = await collected(sound.ids(options))
        if (ids.length === 0) throw new Error('ENOENT')
        yield* ids
      },
    }),
  ),
  lister(
    'ids yields all ids in the order of their UTF-16 code units',
    'ids come unordered',
    (sound) => ({
      async *ids(options) {
        yield* (await collected(sound.ids(options))).reverse()
      },
    }),
  ),
  lister(
    'ids yields all ids in the order of their UTF-16 code units',
    'ids come as in a dictionary',
    (sound) => ({
      async *ids(options) {
        const ids = await collected(sound.ids(options))
        yield* ids.sort((a, b) => a.localeCompare(b))
      },
    }),
  ),
  lister(
    'ids yields only the ids after the given one, whether that exists or not',
    'begins with the given id',
    (sound) => ({
      async *ids({ after = '', signal }) {
        for await (const id of sound.ids({ signal })) if (id >= after) yield id
      },
    }),
  ),
  lister(
    'ids yields only the ids after the given one, whether that exists or not',
    'needs the given id to be there',
    (sound) => ({
      async *ids({ after, signal }) {
        const ids = await collected(sound.ids({ signal }))
        if (after === undefined) yield* ids
        else if (ids.includes(after)) yield* ids.slice(ids.indexOf(after) + 1)
      },
    }),
  ),
  lister('ids follows creations, updates and deletions', 'lists what was deleted', (sound) => {
    const all = new Set<string>()
    return {
      async create(upload) {
        await sound.create(upload, noAbort)
        all.add(upload.id)
      },
      async *ids() {
        yield* [...all].sort()
      },
    }
  }),
  lister(
    'ids follows creations, updates and deletions',
    'lists what it created and did not delete itself',
    (sound) => {
      const own = new Set<string>()
      return {
        async create(upload) {
          await sound.create(upload, noAbort)
          own.add(upload.id)
        },
        async delete(id) {
          await sound.delete(id, noAbort)
          own.delete(id)
        },
        async *ids(options) {
          yield* [...new Set([...own, ...(await collected(sound.ids(options)))])].sort()
        },
      }
    },
    { another: sibling },
  ),
  lister(
    'ids yields more ids than one page of any service',
    'continues after the last id of a dictionary',
    (sound) => ({
      async *ids({ after, signal }) {
        const all = await collected(sound.ids({ signal }))
        for (let last = after; ;) {
          const page = all.filter((id) => !last || id.localeCompare(last) > 0).slice(0, 100)
          yield* page
          if (page.length < 100) return
          last = page.at(-1)
        }
      },
    }),
  ),
  lister('ids yields more ids than one page of any service', 'lists the first page', (sound) => ({
    async *ids(options) {
      yield* (await collected(sound.ids(options))).slice(0, 1000)
    },
  })),
  lister(
    'ids yields more ids than one page of any service',
    'looks for the given id on the first page',
    (sound) => ({
      async *ids({ after = '', signal }) {
        const ids = await collected(sound.ids({ signal }))
        yield* after ? ids.slice(0, 1000).filter((id) => id > after) : ids
      },
    }),
  ),
]

describe.each([
  [
    'infoStore',
    [
      ...infoStores,
      ...brokenRecordContents,
      ...brokenRecordFaults,
      ...brokenRecordRaces,
      ...openedByRecords,
    ],
  ],
  [
    'expiryIndex',
    [...expiryIndexes, ...brokenExpiryFaults, ...brokenExpiryRaces, ...openedByExpiry],
  ],
  ['infoLister', [...infoListers, ...brokenListFaults, ...brokenListRaces, ...openedByLists]],
] as const)('Of info stores with a broken %s, the suite catches one that', (slot, broken) => {
  testCaught(broken, everything('infoStore', slot))
})
