import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileComposer, head, namesIn, post, serve, temporaryDirectory } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const corrupt = expect.objectContaining({
  level: 'error',
  fields: expect.objectContaining({ error: expect.objectContaining({ code: 'ERR_INFO_CORRUPT' }) }),
})

const left = [
  ['nothing', ''],
  ['the beginning of a line', '{"id":"ab'],
  ['zeros', '\0'.repeat(4096)],
] as const

test.each(left)(
  'law 6: a record of which a crash left %s is reported and remains, since data may depend on it',
  async (_, content) => {
    const directory = await temporaryDirectory()
    await writeFile(join(directory, '.abc.info'), content)
    await writeFile(join(directory, 'abc'), 'data')
    const logger = keptLog()
    const { handler, origin } = await serve({
      composer: fileComposer(directory),
      expiration: { after: 1 },
      logger,
    })
    expect((await head(`${origin}/files/abc`)).status).toBeOneOf([423, 500])
    expect(logger.lines.splice(0)).toEqual([
      expect.objectContaining({
        fields: expect.objectContaining({ code: 'ERR_INFO_CORRUPT' }),
      }),
    ])
    expect(await handler.uploads.removeExpired()).toBe(0)
    expect(logger.lines).toEqual([corrupt])
    expect(await namesIn(directory)).toEqual(['.abc.info', 'abc'])
  },
)

test('a creation may use the id of a record that a crash cut off, unless there is data', async () => {
  const directory = await temporaryDirectory()
  await writeFile(join(directory, '.abc.info'), '{"id":"ab')
  await writeFile(join(directory, 'abc'), 'data')
  const site = await serve({ composer: fileComposer(directory), generateId: () => 'abc' })
  const create = () => post(site, { 'upload-length': '5' })
  expect((await create()).text).toContain('ERR_DATA_EXISTS')
  expect(await readFile(join(directory, '.abc.info'), 'utf8')).toBe('{"id":"ab')
  await rm(join(directory, 'abc'))
  expect((await create()).status).toBe(201)
  expect((await head(`${site.origin}/files/abc`)).headers['upload-offset']).toBe('0')
  expect((await create()).text).toContain('ERR_ID_TAKEN')
})
