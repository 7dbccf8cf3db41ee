import { TusError, type Upload } from 'tuskit'
import { breaking, type Broken } from './broken.js'

const store = breaking('dataStore')
const caught = 'a secret that cannot be saved fails the call, and no reported byte is lost'

function hasSecret({ storage }: Upload): boolean {
  return storage.secret !== undefined
}

/** Stores whose data cannot be found again when their secret is not saved. */
export const secrets: readonly Broken[] = [
  store(caught, 'does not wait until its secret is saved', (sound) => ({
    async create(upload, options) {
      void options.saveSecret('s')
      await sound.create(upload, options)
    },
  })),
  store(caught, 'ignores that its secret is not saved', (sound) => ({
    async create(upload, options) {
      await options.saveSecret('s').catch(() => {})
      await sound.create(upload, options)
    },
  })),
  store(caught, 'saves its secret after the first bytes', (sound) => {
    const begun = new Set<string>()
    return {
      async append(upload, from, body, options) {
        const secrets: Promise<void>[] = []
        const progress = (offset: number) => {
          options.progress(offset)
          if (hasSecret(upload) || begun.has(upload.id)) return
          begun.add(upload.id)
          secrets.push(options.saveSecret('s'))
        }
        const stored = await sound.append(upload, from, body, { ...options, progress })
        await Promise.all(secrets)
        return stored
      },
      async stat(upload, options) {
        const found = await sound.stat(upload, options)
        if (begun.has(upload.id) && !hasSecret(upload)) throw new TusError('ERR_DATA_MISSING')
        return found
      },
    }
  }),
]
