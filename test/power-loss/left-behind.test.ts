import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { FileInfoStore } from 'tuskit/file-store'
import { uploadOf } from '../file-store/stage.js'
import { ensureProgram } from '../house/debian-packages.mjs'
import { createUpload, head } from '../support/serve.js'
import { stepsOf } from './steps.js'
import { trace } from './traced-server.js'
import { noAbort } from '../support/stages.js'

// Another process may be killed before it syncs what it has made, or may not sync at all.
beforeAll(() => ensureProgram('strace'))

test('folders that another process has made are on the disk before a file in them is announced', async () => {
  const before = async (directory: string) => {
    await mkdir(join(directory, 'one/two'), { recursive: true })
  }
  const events = await trace({ locate: 'one/two/{id}', before }, async (site) => {
    await createUpload(site)
    await createUpload(site)
  })
  const steps = stepsOf(events)
  const announced = steps.indexOf('response POST 201')
  expect(steps.slice(steps.indexOf('create uploads/one/two/a'), announced)).toEqual([
    'create uploads/one/two/a',
    'sync uploads/one/two/a',
    'sync uploads/one/two',
    'sync uploads/one',
  ])
  expect(steps.slice(0, announced)).toContain('sync uploads')
  expect(steps.slice(0, announced)).toContain('sync .')
  const later = events.slice(events.findLastIndex(({ kind }) => kind === 'request'))
  const synced = later.flatMap((event) => (event.kind === 'sync' ? [event.path] : []))
  expect(synced).not.toContain('uploads/one')
})

test.each(['finished', 'gone'] as const)(
  'the fact that an upload is %s is on the disk before HEAD says so',
  async (kind) => {
    const before = async (directory: string) => {
      const records = new FileInfoStore({ directory })
      const upload = uploadOf('a', { length: 5, finish: 'recorded' })
      await records.create(upload, noAbort)
      await writeFile(join(directory, 'a'), 'first')
      const at = upload.createdAt
      const state =
        kind === 'gone' ? ({ kind, at, cause: 'terminated' } as const) : ({ kind, at } as const)
      await records.update({ ...upload, revision: 2, state }, noAbort)
    }
    const events = await trace({ before }, async ({ origin }) => {
      await head(`${origin}/files/a`)
    })
    const response = kind === 'gone' ? 'response HEAD 410' : 'response HEAD 200, offset 5'
    expect(stepsOf(events)).toEqual(['sync uploads/.a.info', response])
  },
)

test('data and its name are on the disk before HEAD reports them', async () => {
  const offsetOf = async (content: string) => {
    const before = async (directory: string) => {
      await new FileInfoStore({ directory }).create(uploadOf('a', { length: 9 }), noAbort)
      await writeFile(join(directory, 'a'), content)
    }
    const events = await trace({ before }, async ({ origin }) => {
      await head(`${origin}/files/a`)
    })
    return stepsOf(events)
  }
  const synced = ['sync uploads/.a.info', 'sync uploads/a']
  expect(await offsetOf('first')).toEqual([...synced, 'response HEAD 200, offset 5'])
  // Data is appended only after the name is on the disk, so only an empty file can be without it.
  expect(await offsetOf('')).toEqual([
    ...synced,
    'sync uploads',
    'sync .',
    'response HEAD 200, offset 0',
  ])
})
