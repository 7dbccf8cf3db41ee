import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { program, runProgram, startProgram } from '../program.js'
import { temporaryDirectory } from '../../../../test/support/serve.js'
import { madeUploads } from './uploads.js'

const preload = new URL('../../../../test/programs/use-test-build.mjs', import.meta.url).href

test('data and records move, and a server continues with them', async () => {
  const cwd = await temporaryDirectory()
  const [open, finished] = await madeUploads({ cwd }, [
    { length: 10, sent: 4 },
    { length: 10, name: 'a.txt' },
  ])
  const flags = ['migrate', '--to-data', 'file:./new', '--to-info', 'file:./records']
  const { code, output } = await runProgram(flags, { cwd })
  expect(output).toContain('Data: 2 copied.\n')
  expect(output).toContain('Records: 2 copied.\n')
  expect(output).toContain('start the servers with --data file:./new --info file:./records\n')
  expect(code).toBe(0)

  const again = await runProgram(flags, { cwd })
  expect(again.output).toContain('Data: 2 present.\n')
  expect(again.output).toContain('Records: 2 present.\n')
  expect(again.code).toBe(0)

  await rm(join(cwd, 'data'), { recursive: true })
  const settings = ['--data', 'file:./new', '--info', 'file:./records']
  const { url } = await startProgram(settings, { cwd })
  const head = await fetch(`${url}${open}`, {
    method: 'HEAD',
    headers: { 'tus-resumable': '1.0.0' },
  })
  expect(head.headers.get('upload-offset')).toBe('4')
  expect(await (await fetch(`${url}${finished}`)).text()).toBe('x'.repeat(10))
})

test('data that moves alone leaves the records where they are', async () => {
  const cwd = await temporaryDirectory()
  const [id] = await madeUploads({ cwd }, [{ length: 3 }])
  const { output } = await runProgram(['migrate', '--to-data', 'file:./new'], { cwd })
  expect(output).toContain('start the servers with --data file:./new --info file:./data\n')
  expect(await readFile(join(cwd, 'new', id!), 'utf8')).toBe('xxx')
})

test('the settings to start with are shown without passwords', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [{ length: 3 }])
  await writeFile(
    join(cwd, 'plugin.mjs'),
    `import { FileInfoStore } from 'tuskit/file-store'
    export const plugin = { info: { kept: () => new FileInfoStore({ directory: './kept' }) } }`,
  )
  const listener = encodeURIComponent('kept://app:secret@db')
  const to = ['--to-info', `kept://app:secret@pool/a?listener=${listener}`]
  const { output } = await runProgram(['migrate', '--plugin', './plugin.mjs', ...to], { cwd })
  expect(output).toContain('--info kept://***@pool/a?listener=kept%3A%2F%2F***%40db\n')
})

test('records move while a server uses them, and --remove-gone removes what is gone', async () => {
  const cwd = await temporaryDirectory()
  const [first, second] = await madeUploads({ cwd }, [{ length: 3, sent: 1 }, { length: 3 }])
  const { url, stop } = await startProgram(['--data', 'file:./data'], { cwd })
  const flags = ['migrate', '--to-info', 'file:./new']
  const { output } = await runProgram(flags, { cwd })
  expect(output).toContain(
    'Records: 2 copied.\nIf servers were running, stop them, and run this command again, with --remove-gone.',
  )

  const headers = { 'tus-resumable': '1.0.0' }
  await fetch(`${url}${first}`, { method: 'DELETE', headers })
  const [third] = await madeUploads({ cwd }, [{ length: 4 }])
  expect(await stop()).toBe(0)
  const again = await runProgram([...flags, '--remove-gone'], { cwd })
  expect(again.output).toContain('Records: 1 copied, 1 present, 1 removed.\n')
  const { output: lines } = await runProgram(['ls', '--json', '--info', 'file:./new'], { cwd })
  const ids = lines
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { id: string }).id)
  expect(new Set(ids)).toEqual(new Set([second, third]))
})

test('uploads that fail are listed with the reason, and the others are copied', async () => {
  const cwd = await temporaryDirectory()
  const ids = await madeUploads({ cwd }, [{ length: 3 }, { length: 3 }, { length: 3 }])
  await writeFile(join(cwd, 'data', `.${ids[1]}.info`), 'nonsense\n')
  const { code, output, errors } = await runProgram(['migrate', '--to-info', 'file:./new'], { cwd })
  expect(code).toBe(1)
  expect(errors).toMatch(new RegExp(`^failed: ${ids[1]}: ERR_INFO_CORRUPT .+$`, 'm'))
  expect(output).toContain('Records: 2 copied, 1 failed.\n')
  expect(output).not.toContain('Now start the servers')
})

test('--after skips uploads of an earlier run', async () => {
  const cwd = await temporaryDirectory()
  const ids = await madeUploads({ cwd }, [{ length: 1 }, { length: 1 }, { length: 1 }])
  const flags = ['migrate', '--to-info', 'file:./new', '--after', ids.toSorted()[0]!]
  const { output, errors } = await runProgram(flags, { cwd })
  expect(output).toContain('Records: 2 copied')
  expect(errors).toBe('Records: 2 of 2\n')
})

test.each([
  ['an interruption ends it after the current upload', 'copied', [], true],
  ['an interruption after a failure', 'damaged', [], false],
  [
    'an interruption with --remove-gone, which needs all uploads,',
    'copied',
    ['--remove-gone'],
    false,
  ],
])('%s, and says how to continue', async (_, first, more, isSkipping) => {
  const cwd = await temporaryDirectory()
  const ids = (await madeUploads({ cwd }, [{ length: 1 }, { length: 1 }, { length: 1 }])).toSorted()
  if (first === 'damaged') await writeFile(join(cwd, 'data', `.${ids[0]}.info`), 'nonsense\n')
  // Keeps records as files, but waits with the last one until it is stopped.
  await writeFile(
    join(cwd, 'waiting.mjs'),
    `import { FileInfoStore } from 'tuskit/file-store'
class WaitingInfoStore {
  #files = new FileInfoStore({ directory: './new' })
  useIn(composer) { composer.useInfoStore(this).useInfoLister(this) }
  ids(...all) { return this.#files.ids(...all) }
  get(...all) { return this.#files.get(...all) }
  update(...all) { return this.#files.update(...all) }
  delete(...all) { return this.#files.delete(...all) }
  async create(upload, options) {
    if (upload.id !== '${ids[2]}') return this.#files.create(upload, options)
    process.stderr.write('waiting\\n')
    const timer = setInterval(() => {}, 1000)
    await new Promise((resolve) => options.signal.addEventListener('abort', resolve))
    clearInterval(timer)
    options.signal.throwIfAborted()
  }
}
export const plugin = { info: { waiting: () => new WaitingInfoStore() } }
`,
  )
  const flags = ['migrate', '--plugin', './waiting.mjs', '--to-info', 'waiting:', ...more]
  const child = spawn(process.execPath, ['--import', preload, program, ...flags], { cwd })
  const exited = once(child, 'exit')
  const awaited = first === 'damaged' ? ['failed', 'waiting'] : ['waiting']
  let seen = ''
  let isInterrupted = false
  child.stderr.on('data', (data: Buffer) => {
    seen += data.toString()
    // Once: Node no longer handles signals when it is about to exit.
    if (isInterrupted || !awaited.every((word) => seen.includes(word))) return
    isInterrupted = child.kill('SIGINT')
  })
  const errors = await text(child.stderr)
  // Several are copied at the same time.
  const done = Number(/^Records: (\d) of 3$/m.exec(errors)![1])
  const rest = isSkipping && done > 0 ? `, with --after ${ids[done - 1]}` : ''
  expect(errors).toContain(`tuskit: Stopped. Run the same command again to continue${rest}.\n`)
  expect(await exited).toEqual([1, null])
})

test('records leave a store whose parts share a connection', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [{ length: 1 }, { length: 1 }])
  // Like a pool of connections for each URL, until it is closed.
  await writeFile(
    join(cwd, 'sharing.mjs'),
    `import { FileInfoStore } from 'tuskit/file-store'
let pool
function info() {
  const lifecycle = (pool ??= { open: async () => {}, close: async () => { pool = undefined } })
  const files = new FileInfoStore({ directory: './data' })
  return { useIn: (composer) => composer.use(files).useLifecycle(lifecycle) }
}
export const plugin = { info: { sharing: info } }
`,
  )
  const flags = ['migrate', '--plugin', './sharing.mjs', '--info', 'sharing:']
  const moved = ['--to-data', 'file:./moved', '--to-info', 'file:./new']
  const { output, errors } = await runProgram([...flags, ...moved], { cwd })
  expect(errors).toBe('Data: 2 of 2\nRecords: 2 of 2\n')
  expect(output).toContain('Data: 2 copied.\nRecords: 2 copied.\n')
})

test('on a terminal, a bar shows the progress', async () => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [{ length: 1 }, { length: 1 }])
  const run = `'${process.execPath}' --import '${preload}' '${program}' migrate --to-info file:./new`
  // `script` runs it on a terminal of its own.
  const child = spawn('script', ['-qec', run, '/dev/null'], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = await text(child.stdout)
  expect(output).toContain('of 2')
  expect(output).toContain('Records: 2 copied.')
})

test.each([
  [[], 'Say where to: --to-info'],
  [['--to-data', 'file:./data'], 'is where they are now'],
  [['--to-info', 'file:data/?durability=disk'], 'is where they are now'],
  [['--to-data', 'memory:'], 'cannot be memory:'],
  [['--to-data', 'fil:./x'], 'Did you mean file:?'],
  [
    ['--to-data', 'file:./a', '--to-info', 'file:./b', '--after', 'x'],
    'Give --after with only one',
  ],
  [['--to-data', 'file:./a', '--remove-gone'], 'Give --remove-gone with --to-info'],
  [['--data', 'file:./nope', '--to-data', 'file:./x'], 'There is no directory ./nope'],
])('%j is refused', async (flags, message) => {
  const cwd = await temporaryDirectory()
  await madeUploads({ cwd }, [])
  const { code, errors } = await runProgram(['migrate', ...flags], { cwd })
  expect(errors).toContain(message)
  expect(code).toBe(2)
})
