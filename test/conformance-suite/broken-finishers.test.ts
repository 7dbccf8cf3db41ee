import { describe } from 'vitest'
import type { Finisher } from 'tuskit'
import type { MemoryStore } from 'tuskit/memory-store'
import { careless, changed, composed, deaf, everything, testCaught, type Broken } from './broken.js'
import { sealingStore } from './sealing-store.js'

type Whole = MemoryStore & Finisher

/** A store with a finisher of which something is broken. */
function finishing(
  caught: string,
  title: string,
  breakIt: (sound: Whole) => Partial<Whole>,
): Broken {
  const slots = ['dataStore', 'contentReader', 'finisher'] as const
  const factory = () => {
    const sound = sealingStore()
    const broken = changed(sound, breakIt(sound))
    return composed({ dataStore: broken, contentReader: broken, finisher: broken })
  }
  return { caught: `Finisher: ${caught}`, title, slots, factory }
}
import { openedByFinishers } from './broken-handles.js'
import { brokenRemoteFinishers } from './broken-remote-changes.js'

const finishers: readonly Broken[] = [
  finishing('finish preserves the stored bytes', 'never finishes', () => ({
    async finish() {},
  })),
  finishing(
    'finish accepts the result of append under the same lock',
    'wants its own stat',
    (sound) => {
      let own: unknown
      return {
        async stat(upload, options) {
          return (own = await sound.stat(upload, options)) as { offset: number }
        },
        async finish(upload, from, options) {
          if (from !== own) throw new Error('Not what stat said')
          await sound.finish(upload, from, options)
        },
      }
    },
  ),
  finishing('finish can be repeated, even by another instance', 'finishes once', (sound) => {
    const finished = new Set<string>()
    return {
      async finish(upload, from, options) {
        if (finished.has(upload.id)) throw new Error('NoSuchUpload')
        finished.add(upload.id)
        await sound.finish(upload, from, options)
      },
    }
  }),
  finishing(
    'finish can be repeated, even by another instance',
    'loses count when it finished',
    (sound) => {
      const finished = new Set<string>()
      return {
        async finish(upload, from, options) {
          await sound.finish(upload, from, options)
          finished.add(upload.id)
        },
        async stat(upload, options) {
          const found = await sound.stat(upload, options)
          return finished.has(upload.id) ? { offset: 0 } : found
        },
      }
    },
  ),
  finishing('finish accepts an empty upload', 'wants at least one part', (sound) => ({
    async finish(upload, from, options) {
      if (from.offset === 0) throw new Error('MalformedXML')
      await sound.finish(upload, from, options)
    },
  })),
  finishing('finish changes nothing when its signal has aborted', 'ignores signals', (sound) => ({
    finish: (upload, from, options) => sound.finish(upload, from, deaf(options)),
  })),
  finishing(
    'finish checks the lock before every change, and can be repeated',
    'asks nobody for the lock',
    (sound) => ({
      finish: (upload, from, options) => sound.finish(upload, from, careless(options)),
    }),
  ),
]

describe('Of stores with a broken finisher, the suite catches one that', () => {
  testCaught(
    [...finishers, ...openedByFinishers, ...brokenRemoteFinishers],
    everything('dataStore', 'finisher'),
  )
})
