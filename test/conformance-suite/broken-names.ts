import { posix } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { TusError, type Upload } from 'tuskit'
import type { MemoryStore } from 'tuskit/memory-store'
import { breaking, type Broken } from './broken.js'

const store = breaking('dataStore')
const removing = breaking('terminator')

const placing = { places: { good: [{ key: 'a' }, { key: 'b/a' }], bad: [{ path: 'a' }] } }
const refusing = { places: { good: [], bad: [{ path: 'a' }] } }

/** Mistakes in making a path of the name that a client gave its file. */
const namings: Readonly<Record<string, (id: string, name: string) => string>> = {
  'makes a path of the file name': (_, name) => name,
  'puts files with their names into folders of their own': posix.join,
  'puts the id before the file name': (id, name) => posix.join('/data', `${id}-${name}`),
}

/** Mistakes in making a path of a place, with which it leads out of the folder. */
const leaks: Readonly<Record<string, (place: string) => string>> = {
  'joins places unchecked': (place) => posix.join('/data/uploads', place),
  'resolves places, and refuses only dots': (place) =>
    posix.resolve('/data/uploads', checked(place, '..')),
  'joins places, and forgets that backslashes separate names, too': (place) =>
    posix.join('/data/uploads', checked(place, '../').replaceAll('\\', '/')),
}

/** Stores that trust the names that clients and hooks choose. */
export const names: readonly Broken[] = [
  ...Object.entries(namings).map(([title, pathOf]) =>
    store('uploads stay separate whatever file names their metadata holds', title, () => ({
      locate: ({ id, metadata: { values } }) => {
        const { filename = '' } = values
        return { kind: 'memory', at: { key: pathOf(id, filename) } }
      },
    })),
  ),
  store(
    'locate rejects the bad places',
    'takes what it knows, and ignores the rest',
    withTerm,
    placing,
  ),
  store('locate rejects the bad places', 'accepts places without saying so', () => ({}), refusing),
  store(
    'uploads at different places stay separate',
    'ignores the folder of a place',
    () => ({
      locate: ({ id, place }) => ({
        kind: 'memory',
        at: { key: posix.basename(place?.key ?? id) },
      }),
    }),
    placing,
  ),
  ...Object.entries(leaks).map(([title, pathOf]) =>
    store('no place leads out of the storage', title, (sound) => renaming(sound, pathOf), placing),
  ),
  store(
    'uploads at similar places stay separate',
    'looks for the place, and writes to that of a cleaned name',
    (sound) => {
      const taken = new Set<string>()
      const cleaned = renaming(sound, (place) => place.replace(/[^a-z/]/g, ''))
      return {
        ...cleaned,
        async create(upload, options) {
          const key = upload.storage.at.key!
          if (taken.has(key)) throw new TusError('ERR_DATA_EXISTS')
          taken.add(key)
          await cleaned.terminate!(upload, options)
          await cleaned.create!(upload, options)
        },
      }
    },
    placing,
  ),
  ...(['', ', on two instances'] as const).map((where) =>
    store(
      `of several uploads at one place, create makes one${where}`,
      'looks before it makes an upload, and overwrites one that came in between',
      overwriting,
      { ...placing, ...(where && { elsewhere: overwriting }) },
    ),
  ),
]

/** Stores that remove the data of other uploads. */
export const namesOfRemoved: readonly Broken[] = [
  removing(
    'terminate does not affect uploads with the same file name',
    'finds uploads by their file names',
    (sound) => {
      const uploads = new Map<string, Upload[]>()
      const alike = ({ metadata }: Upload) => {
        const { filename = '' } = metadata.values
        const found = uploads.get(filename) ?? []
        uploads.set(filename, found)
        return found
      }
      return {
        async create(upload, options) {
          await sound.create(upload, options)
          alike(upload).push(upload)
        },
        async terminate(upload, options) {
          for (const one of alike(upload).splice(0)) await sound.terminate(one, options)
        },
      }
    },
  ),
]

function withTerm(): Partial<MemoryStore> {
  return { locate: ({ id, place }) => ({ kind: 'memory', at: { key: place?.key ?? id } }) }
}

function overwriting(sound: MemoryStore): Partial<MemoryStore> {
  return {
    async create(upload, options) {
      const exists = await sound.stat(upload, options).then(
        () => true,
        () => false,
      )
      if (exists) throw new TusError('ERR_DATA_EXISTS')
      await turn()
      await sound.terminate(upload, options)
      await sound.create(upload, options)
    },
  }
}

/** Returns a place that has none of these characters, as a store checks it in `locate`. */
function checked(place: string, refused: string): string {
  if (place.includes(refused)) throw new TusError('ERR_INVALID_PLACE')
  return place
}

/** Keeps the data of a place elsewhere, and does not show that in `locate`. */
function renaming(sound: MemoryStore, pathOf: (place: string) => string): Partial<MemoryStore> {
  const at = (upload: Upload): Upload => {
    const key = pathOf(upload.storage.at.key!)
    return { ...upload, storage: { kind: 'memory', at: { key } } }
  }
  return {
    locate(upload) {
      const ref = sound.locate(upload)
      pathOf(ref.at.key!)
      return ref
    },
    create: (upload, options) => sound.create(at(upload), options),
    stat: (upload, options) => sound.stat(at(upload), options),
    append: (upload, ...rest) => sound.append(at(upload), ...rest),
    read: (upload, ...rest) => sound.read(at(upload), ...rest),
    terminate: (upload, options) => sound.terminate(at(upload), options),
  }
}
