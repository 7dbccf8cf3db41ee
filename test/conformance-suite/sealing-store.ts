import { TusError, type Finisher, type StoreComposer, type Upload } from 'tuskit'
import { MemoryStore } from 'tuskit/memory-store'
import { changed } from './broken.js'

/** A store whose uploads can be read once they are sealed, as the object of a multipart upload can. */
export function sealingStore(): MemoryStore & Finisher {
  const store = new MemoryStore()
  const sealed = new Set<string>()
  const mustHold = ({ signal, fence }: Parameters<Finisher['finish']>[2]) => {
    signal.throwIfAborted()
    if (!fence.held()) throw new TusError('ERR_LOCK_LOST')
  }
  const sealing: Partial<MemoryStore & Finisher> = {
    async finish(upload, from, options) {
      mustHold(options)
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
      composer.useContentReader(whole).useTerminator(whole).useFinisher(whole)
    },
  }
  const whole = changed(store as MemoryStore & Finisher, sealing)
  return whole
}
