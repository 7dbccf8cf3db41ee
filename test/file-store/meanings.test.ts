import { expect, test } from 'vitest'
import { FileStore } from 'tuskit/file-store'
import { forced, newDirectory, signal, text, uploadOf, writing } from './stage.js'

test('an error that makes a place unusable for a creation does not mean that recorded data is gone', async () => {
  const store = new FileStore({ directory: await newDirectory() })
  // Each name is short enough, but the whole path is too long for the system (ENAMETOOLONG).
  const path = Array<string>(3_000).fill('a').join('/')
  const upload = uploadOf('a', { storage: { kind: 'file', at: { path } } })
  await expect(store.create(upload, writing())).rejects.toMatchObject({ code: 'ERR_INVALID_PLACE' })
  const from = { offset: 0, size: 0, marked: false }
  for (const call of [
    () => store.stat(upload, { signal }),
    () => store.append(upload, from, text('a'), writing()),
    () => store.append(upload, from, text('a'), writing({ fence: forced })),
    () => store.terminate(upload, writing()),
    () => store.read(upload, undefined, { signal }),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: 'ERR_STORAGE_UNAVAILABLE' })
  }
})
