// Takes part in a race for each revision of the record `a`, up to a given one. Prints the revisions
// that it won.
import { FileInfoStore } from '../.dist/file-store.js'

const [directory, last, name] = process.argv.slice(2)
const { signal } = new AbortController()
const store = new FileInfoStore({ directory })

process.stdin.once('data', async () => {
  process.stdin.destroy()
  for (;;) {
    const upload = await store.get('a')
    if (upload.revision >= Number(last)) break
    const { raw } = upload.metadata
    const next = {
      ...upload,
      revision: upload.revision + 1,
      metadata: { raw: raw + name, values: {} },
    }
    try {
      await store.update(next, { signal })
      console.log(next.revision)
    } catch (error) {
      if (error.code !== 'ERR_INFO_CONFLICT') throw error
    }
  }
})
console.error('ready')
