import { TusError, type Finisher, type StoreComposer, type Upload } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import { changed } from './broken.js'

/**
 * A store whose uploads can be read once they are sealed, like the object of a multipart upload.
 * Changing one takes a secret that its creation makes.
 */
export function sealingStore(): MemoryStore & Finisher {
  const store = new MemoryStore()
  const sealed = new Set<string>()
  const mustHold = ({ signal, fence }: Parameters<Finisher['finish']>[2]) => {
    signal.throwIfAborted()
    if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
  }
  const mustKnow = ({ id, storage }: Upload) => {
    const { key } = (storage.secret ?? {}) as { key?: string }
    if (key !== `key of ${id}`) throw new Error('The record should have the secret')
  }
  const sealing: Partial<MemoryStore & Finisher> = {
    async create(upload, options) {
      await store.create(upload, options)
      await options.saveSecret({ key: `key of ${upload.id}` })
    },
    append(upload, from, body, options) {
      mustKnow(upload)
      return store.append(upload, from, body, options)
    },
    async finish(upload, from, options) {
      mustHold(options)
      mustKnow(upload)
      const { offset } = await store.stat(upload, options)
      if (offset !== from.offset || offset !== upload.length) throw new Error('Not all is there')
      sealed.add(upload.id)
    },
    async read(upload, range, options) {
      if (!sealed.has(upload.id)) throw new TusError('ERR_DATA_MISSING')
      return store.read(upload, range, options)
    },
    async terminate(upload: Upload, options) {
      await store.terminate(upload, options)
      sealed.delete(upload.id)
    },
    useIn(composer: StoreComposer) {
      store.useIn(composer)
      composer.useDataStore(whole).useContentReader(whole)
      composer.useTerminator(whole).useFinisher(whole)
    },
  }
  const whole = changed(store as MemoryStore & Finisher, sealing)
  return whole
}
