import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import {
  createUpload,
  fileComposer,
  idOf,
  post,
  serve,
  temporaryDirectory,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'

/** Ways to make a record unreadable. */
const damages: readonly ((path: string) => Promise<unknown>)[] = [
  async (path) => writeFile(path, (await readFile(path, 'utf8')).replace(':5', ':6')),
  (path) => writeFile(path, ''),
  (path) => writeFile(path, 'something else\n'),
  async (path) => [await rm(path), await mkdir(path)],
  async (path) => [await rm(path), await symlink(path, path)],
]

test('uploads with unreadable records do not prevent others from being removed or finished', async () => {
  const directory = await temporaryDirectory()
  const logger = keptLog()
  let scans = false
  const site = await serve({
    composer: fileComposer(directory),
    expiration: { after: 3_600_000 },
    logger,
    hooks: {
      preFinish() {
        if (!scans) throw new Error('The scanner is down')
      },
    },
  })
  const create = async () => idOf(await createUpload(site, { 'upload-length': '5' }))
  const unreadable = await Promise.all(damages.map(create))
  await Promise.all([create(), create(), create()])
  expect((await post(site, { 'upload-length': '0' })).status).toBe(500)
  scans = true
  for (const [i, damage] of damages.entries()) {
    await damage(join(directory, `.${unreadable[i]}.info`))
  }
  const logged = () =>
    logger.lines.splice(0).map(({ level, fields }) => `${level} ${String(fields['uploadId'])}`)
  const errors = unreadable.toSorted().map((id) => `error ${id}`)
  logged()

  expect(await site.handler.uploads.finishPending()).toBe(1)
  expect(logged().sort()).toEqual(errors)
  onTestFinished(() => void vi.useRealTimers())
  vi.setSystemTime(Date.now() + 7_200_000)
  expect(await site.handler.uploads.removeExpired()).toBe(3)
  expect(logged().sort()).toEqual(errors)
})
