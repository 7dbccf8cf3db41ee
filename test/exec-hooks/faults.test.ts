import { spawn } from 'node:child_process'
import { getEventListeners, once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import type { HookCall } from 'tuskit'
import { ExecHooks, type ExecHooksOptions } from 'tuskit/exec-hooks'
import { writeProgram } from '../support/hook-program.js'
import { head, patch, post, serve, temporaryDirectory, until } from '../support/serve.js'
import { keptLog } from '../support/stages.js'

const call: HookCall = {
  event: { type: 'pre-create', id: 'a/pre-create' },
  upload: undefined,
  offset: 0,
  request: undefined,
}

/** Returns hooks with one program, and a function that returns the ids of processes it noted. */
async function hooksWith(source: string, options: Partial<ExecHooksOptions> = {}) {
  const directory = await temporaryDirectory()
  const program = await writeProgram(join(directory, 'hook'), source)
  const events = ['pre-create'] as const
  const hooks = new ExecHooks({ program, events, ...options })
  const noted = join(directory, 'pids')
  process.env.PIDS = noted
  onTestFinished(() => {
    delete process.env.PIDS
  })
  const pids = async () => {
    const text = existsSync(noted) ? await readFile(noted, 'utf8') : ''
    return text.split('\n').filter(Boolean).map(Number)
  }
  return { hooks, program, pids }
}

/** Waits until none of the processes is left. */
async function untilGone(pids: readonly number[]): Promise<void> {
  await until(
    async () => pids.filter(isRunning),
    (left) => left.length === 0,
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const note = 'echo $$ >> "$PIDS"'
const childToo = 'sleep 1000 & echo $! >> "$PIDS"'

/** Sends a creation, and returns what the client gets and what the log says. */
async function created(hooks: ExecHooks, hookTimeout = 30_000) {
  const logger = keptLog()
  const site = await serve({ hooks, logger, hookTimeout })
  const { status, text } = await post(site, { 'upload-length': '5' })
  const causes = logger.lines.map(({ fields }) => String(fields.error))
  return { status, text, causes }
}

test('a program that hangs is killed with its children', async () => {
  const source = `${note}; ${childToo}; sleep 1000`
  const { hooks, program, pids } = await hooksWith(source, { timeout: 500 })
  expect(await created(hooks)).toEqual({
    status: 504,
    text: 'ERR_HOOK_TIMEOUT: A program that decides about uploads took too long; try again\n',
    causes: [`Error: ${program} has not ended within 500 ms`],
  })
  // On a busy machine, it may be killed before it has begun.
  await untilGone(await pids())
})

test('a program has not ended while a child may write its reply', async () => {
  const { hooks, pids } = await hooksWith(childToo, { timeout: 2_000 })
  expect(await created(hooks)).toMatchObject({ status: 504 })
  const children = await pids()
  expect(children).toHaveLength(1)
  await untilGone(children)
})

test('a child that has closed its output may outlive the program', async () => {
  const { hooks, pids } = await hooksWith('sleep 1000 >&- 2>&- & echo $! >> "$PIDS"')
  expect(await created(hooks)).toMatchObject({ status: 201 })
  const [child] = await pids()
  expect(isRunning(child!)).toBe(true)
  process.kill(child!)
})

test('a program that has left its group cannot keep the server waiting', async () => {
  const source = `setsid sh -c 'echo $$ >> "$PIDS"; exec sleep 1000'`
  const { hooks, pids } = await hooksWith(source, { timeout: 1_000 })
  expect(await created(hooks)).toMatchObject({ status: 504 })
  for (const pid of await pids()) process.kill(pid)
})

test('a program that writes without end is killed', async () => {
  const { hooks, program, pids } = await hooksWith(`${note}; exec yes 2>&-`)
  expect(await created(hooks)).toEqual({
    status: 502,
    text: 'ERR_HOOK_REPLY: A program that decides about uploads gave a wrong reply\n',
    causes: [`Error: ${program} has written more than 1048576 bytes`],
  })
  const left = await pids()
  expect(left).toHaveLength(1)
  await untilGone(left)
})

test('a program that another process kills has failed', async () => {
  const { hooks, program } = await hooksWith('kill -TERM $$')
  expect(await created(hooks)).toEqual({
    status: 502,
    text: 'ERR_HOOK_REPLY: A program that decides about uploads gave a wrong reply\n',
    causes: [`Error: ${program} was killed by SIGTERM`],
  })
})

test('the log names the exit code', async () => {
  const { hooks } = await hooksWith('exit 77')
  expect(await created(hooks)).toMatchObject({
    status: 502,
    causes: ['Error: The program for pre-create ended with 77'],
  })
})

test('a program that is removed later is an error in the log', async () => {
  const { hooks, program } = await hooksWith('')
  await rm(program)
  const { status, text, causes } = await created(hooks)
  expect([status, causes]).toEqual([503, [`Error: spawn ${program} ENOENT`]])
  expect(text).not.toContain(program)
})

test('a program is killed when the hook may not take longer', async () => {
  const { hooks, pids } = await hooksWith(`${note}; sleep 1000`)
  expect(await created(hooks, 500)).toMatchObject({ status: 500 })
  await untilGone(await pids())
})

test('no program is started when it is too late, and no listener is left', async () => {
  const { hooks, pids } = await hooksWith(note)
  const reason = new Error('too late')
  await expect(hooks.call(call, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(await pids()).toEqual([])
  const { signal } = new AbortController()
  expect(await hooks.call(call, { signal })).toEqual({})
  expect(await pids()).toHaveLength(1)
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('no process and no pipe is left', async () => {
  const kinds = ['ProcessWrap', 'PipeWrap']
  const active = async () =>
    process.getActiveResourcesInfo().filter((kind) => kinds.includes(kind)).length
  const before = await active()
  const { signal } = new AbortController()
  for (const source of ['', 'exit 1', 'exec yes 2>&-', 'sleep 1000']) {
    const { hooks } = await hooksWith(source, { timeout: source.startsWith('sleep') ? 50 : 10_000 })
    const calls = Array.from({ length: 5 }, () => hooks.call(call, { signal }))
    await Promise.allSettled(calls)
  }
  await until(active, (now) => now <= before)
})

test('too many open files are no end of the server', async () => {
  const { program } = await hooksWith('')
  const path = fileURLToPath(new URL('../programs/hooks-without-files.mjs', import.meta.url))
  const command = 'ulimit -n 100 && exec "$0" "$@"'
  const child = spawn('bash', ['-c', command, process.execPath, path, program])
  let output = ''
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()))
  child.stderr.on('data', (piece: Buffer) => (output += piece.toString()))
  const [code] = (await once(child, 'close')) as [number]
  expect([code, output]).toEqual([0, 'ERR_HOOK_UNAVAILABLE EMFILE\n{}\n'])
})

test.each([
  ['ERR_HOOK_REPLY', 'echo nonsense', {}],
  ['ERR_HOOK_TIMEOUT', 'sleep 1000', { timeout: 50 }],
  ['ERR_HOOK_UNAVAILABLE', undefined, {}],
])(
  '%s is 423 for a tus HEAD, so that no client gives its upload up',
  async (code, source, more) => {
    const { hooks, program } = await hooksWith(source ?? '', { events: ['access'], ...more })
    if (source === undefined) await rm(program)
    const site = await serve({ hooks, logger: keptLog() })
    const reply = await head(`${site.origin}/files/a`)
    // There is no such upload.
    expect(reply.status).toBe(404)
    const created = await post(site, { 'upload-length': '5' })
    expect(created.text).toContain(code)

    const open = await writeProgram(program, '').then(() => post(site, { 'upload-length': '5' }))
    expect(open.status).toBe(201)
    if (source === undefined) await rm(program)
    else await writeProgram(program, source)
    const url = site.origin + open.headers.location
    const refused = await head(url)
    expect([refused.status, refused.headers['retry-after']]).toEqual([423, '1'])
    expect((await patch(url, 0, 'hello')).status).toBeGreaterThanOrEqual(502)
  },
)
