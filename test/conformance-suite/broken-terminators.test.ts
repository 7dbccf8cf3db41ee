import { describe } from 'vitest'
import type { Upload } from 'tuskit'
import { breaking, careless, deaf, everything, testCaught, type Broken } from './broken.js'
import { namesOfRemoved } from './broken-names.js'
import { openedByTerminators } from './broken-handles.js'
import { brokenRemoteTerminators } from './broken-remote-changes.js'
import { mixedTerminations } from './broken-several-uploads.js'

const removing = breaking('terminator')

const terminators: readonly Broken[] = [
  removing('terminate removes an unfinished upload', 'leaves the data', () => ({
    async terminate() {},
  })),
  removing('terminate removes a finished upload', 'keeps what is finished', (sound) => ({
    async terminate(upload, options) {
      const { offset } = await sound.stat(upload, options)
      if (offset !== upload.length) await sound.terminate(upload, options)
    },
  })),
  removing(
    'terminate succeeds when there is no data',
    'rejects when nothing is there',
    (sound) => ({
      async terminate(upload, options) {
        await sound.stat(upload, options)
        await sound.terminate(upload, options)
      },
    }),
  ),
  removing(
    'terminate leaves nothing behind for the next upload at the same place',
    'marks as removed',
    (sound) => {
      const removed = new Set<string>()
      return {
        async terminate({ id }) {
          removed.add(id)
        },
        async create(upload, options) {
          if (!removed.delete(upload.id)) await sound.create(upload, options)
        },
      }
    },
  ),
  removing('terminate does not affect uploads with similar ids', 'removes by prefix', (sound) => {
    const created: Upload[] = []
    return {
      async create(upload, options) {
        created.push(upload)
        await sound.create(upload, options)
      },
      async terminate({ id }, options) {
        for (const upload of created) {
          if (upload.id.startsWith(id)) await sound.terminate(upload, options)
        }
      },
    }
  }),
  removing('terminate changes nothing when its signal has aborted', 'ignores signals', (sound) => ({
    terminate: (upload, options) => sound.terminate(upload, deaf(options)),
  })),
  removing('terminate changes nothing without the lock', 'asks nobody for the lock', (sound) => ({
    terminate: (upload, options) => sound.terminate(upload, careless(options)),
  })),
  removing(
    'terminate checks the lock before every change, and can be repeated',
    'does not complete what was begun',
    (sound) => {
      const begun = new Set<string>()
      return {
        async terminate(upload, options) {
          if (begun.has(upload.id)) return
          begun.add(upload.id)
          await sound.terminate(upload, options)
        },
      }
    },
  ),
]

describe('Of stores with a broken terminator, the suite catches one that', () => {
  testCaught(
    [
      ...terminators,
      ...mixedTerminations,
      ...namesOfRemoved,
      ...openedByTerminators,
      ...brokenRemoteTerminators,
    ],
    everything('dataStore', 'terminator'),
  )
})
