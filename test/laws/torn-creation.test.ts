import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileComposer, serve, temporaryDirectory } from '../serve.js'

test('law 6: what a creation left that was cut off in its record is cleared away', async () => {
  const directory = await temporaryDirectory()
  await writeFile(join(directory, '.abc.info'), '{"id":"ab')
  const { handler } = await serve({ composer: fileComposer(directory) })
  await handler.uploads.removeExpired()
  expect(await readdir(directory)).toEqual([])
})
