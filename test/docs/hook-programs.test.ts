import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ExecHooks } from 'tuskit/exec-hooks'
import { HttpHooks } from 'tuskit/http-hooks'
import { ensureProgram } from '../house/debian-packages.mjs'
import { freePort } from '../support/free-port.js'
import { writeProgram } from '../support/hook-program.js'
import { fileComposer, idOf, post, serve, temporaryDirectory, until } from '../support/serve.js'
import { readPage, root } from './pages.js'

test('docs/hook-programs.md: the programs in sh and Python decide and take notes', async () => {
  ensureProgram('jq')
  ensureProgram('python3')
  const page = await readFile(join(root, 'docs/hook-programs.md'), 'utf8')
  const directory = await temporaryDirectory()
  for (const [, name, first, rest] of page.matchAll(/^```\w+ ([\w-]+)\n#!(.*)\n([^]*?)^```$/gm)) {
    await writeProgram(join(directory, name!), rest!, first)
  }
  const hooks = new ExecHooks({ directory })
  expect(hooks.events).toEqual(['pre-create', 'post-finish'])
  const site = await serve({ hooks, composer: fileComposer(await temporaryDirectory()) })
  const refused = await post(site, { 'upload-length': '5' }, 'hello')
  expect([refused.status, refused.text]).toEqual([422, 'The file has no name'])
  const metadata = `filename ${Buffer.from('Übersicht.txt').toString('base64')}`
  const created = await post(site, { 'upload-length': '5', 'upload-metadata': metadata }, 'hello')
  expect(created.status).toBe(201)
  const id = idOf(created.headers.location!)
  const note = await until(
    () => readFile(join(directory, 'finished', id), 'utf8').catch(() => ''),
    (text) => text.endsWith('\n'),
  )
  expect(note).toBe(`Übersicht.txt: 5 bytes in ${id}\n`)
})

test('docs/hook-programs.md: the receiver refuses and takes notes', async () => {
  const { blocks } = await readPage('docs/hook-programs.md')
  const { code } = blocks.find(({ name }) => name === 'receiver.mjs')!
  const port = await freePort()
  const path = join(await temporaryDirectory(), 'receiver.mjs')
  await writeFile(path, code.replace('listen(1081', `listen(${port}`))
  const receiver = spawn(process.execPath, [path])
  onTestFinished(() => void receiver.kill())
  let output = ''
  receiver.stdout.on('data', (piece: Buffer) => (output += piece.toString()))
  await once(receiver.stdout, 'data')

  const hooks = new HttpHooks({ url: `http://localhost:${port}/` })
  const site = await serve({ hooks, composer: fileComposer(await temporaryDirectory()) })
  const refused = await post(site, { 'upload-length': '1000001' })
  expect([refused.status, refused.text]).toEqual([413, 'At most a megabyte\n'])
  const created = await post(site, { 'upload-length': '5' }, 'hello')
  expect(created.status).toBe(201)
  const id = idOf(created.headers.location!)
  await until(
    async () => output,
    (text) => text.includes(`stored at ${id}\n`),
  )
})
