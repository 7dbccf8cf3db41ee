// Stores and reads a record with the part of a URL. Arguments: the path of the plugin, the URL, and
// the id of the record.
import { pathToFileURL } from 'node:url'
import { StoreComposer } from 'tuskit'

const [path, url, id] = process.argv.slice(2)
const { plugin } = await import(pathToFileURL(path).href)
const part = await plugin.info.sqlite(url)
const { infoStore, lifecycles } = new StoreComposer().use(part).slots()
for (const object of lifecycles) await object.open()
const noAbort = { signal: new AbortController().signal }
await infoStore.create(
  {
    id,
    revision: 1,
    protocol: 'tus',
    metadata: { raw: '', values: {} },
    storage: { kind: 'test', at: {} },
    createdAt: new Date().toISOString(),
    finish: 'implied',
    state: { kind: 'open' },
  },
  noAbort,
)
console.log((await infoStore.get(id, noAbort)).id)
for (const object of lifecycles) await object.close()
