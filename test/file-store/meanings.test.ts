import { expect, test } from 'vitest'
import { FileStore } from 'tuskit/file-store'
import { forced, newDirectory, signal, text, uploadOf, writing } from './stage.js'

test('what makes a place a bad choice for a creation says nothing about data that is recorded', async () => {
  const store = new FileStore({ directory: await newDirectory() })
  // Each name is short enough, and all of them are too long for the system (ENAMETOOLONG).
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
