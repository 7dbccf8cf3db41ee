import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHandler, createUploadServer, type HookType } from 'tuskit'
import { ExecHooks } from 'tuskit/exec-hooks'
import { writeProgram } from '../support/hook-program.js'
import {
  createUpload,
  listen,
  memoryComposer,
  patch,
  post,
  remove,
  temporaryDirectory,
  until,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'
import { recorded } from './recorded.js'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Recorded {
  readonly 'pre-create': readonly Row[]
  readonly 'pre-finish'?: readonly Row[]
  readonly 'pre-terminate': readonly Row[]
  readonly 'after the fact': readonly {
    readonly event: HookType
    readonly program: string
    readonly answers: readonly number[]
  }[]
  readonly 'cannot run': Readonly<Record<string, Answer>>
  readonly 'leaves stdin unread'?: Readonly<Record<string, Answer>>
}

interface Row {
  readonly program: string
  readonly answer: Answer
}

const rejection = JSON.stringify({
  RejectUpload: true,
  RejectTermination: true,
  HTTPResponse: { StatusCode: 403, Body: 'no room', Header: { 'X-Reason': 'quota' } },
})
const changes = JSON.stringify({
  ChangeFileInfo: { ID: 'by-program', MetaData: { tenant: 'blue' } },
})

/** The recorded programs, written for `sh`. */
const behaviours: Readonly<Record<string, string>> = {
  'exits with 0': '',
  'exits with 0 and prints': 'echo printed; echo printed too >&2',
  'exits with 0 and prints {}': "echo '{}'",
  'exits with 0 and prints a line break': 'echo',
  'exits with 0 and prints no JSON': 'printf printed',
  'exits with 0 and prints JSON and more': "echo '{} printed'",
  'exits with 0 and rejects': `echo '${rejection}'`,
  'exits with 0 and changes the upload': `echo '${changes}'`,
  'exits with 0 and prints on stderr': 'echo printed on stderr >&2',
  'exits with 1': 'exit 1',
  'exits with 1 and prints': 'echo printed; exit 1',
  'exits with 1 and rejects': `echo '${rejection}'; exit 1`,
  'exits with 77': 'exit 77',
  'is killed by a signal': 'kill -9 $$',
  // The recorded ones waited for longer. The client has to wait too, however long it is.
  'takes 2 seconds': 'sleep 0.1',
  'takes 3 seconds': 'sleep 0.1',
}

const kinds = ['tusd', 'rustus-file', 'rustus-dir'] as const
type Kind = (typeof kinds)[number]

async function start(kind: Kind, type: HookType, prepare: (path: string) => Promise<unknown>) {
  const home = await temporaryDirectory()
  const isOne = kind === 'rustus-file'
  const path = join(home, isOne ? 'hook' : type)
  await writeProgram(path, '')
  const hooks = new ExecHooks({
    events: [type],
    ...(isOne ? { program: path } : { directory: home }),
    ...(kind !== 'tusd' && { format: 'rustus', input: 'argument' }),
  })
  // Programs are found when the server starts. Whatever happens to them comes later.
  await prepare(path)
  const composer = memoryComposer()
  const logger = keptLog()
  const options = { basePath: '/files', composer, logger, progressInterval: 1 }
  const handler = createHandler({ ...options, hooks })
  const server = createUploadServer(handler, { maxHeaderSize: 200_000 })
  const port = await listen(server)
  onTestFinished(() => server.stop({ timeout: 1_000 }))
  return { origin: `http://127.0.0.1:${port}`, logger }
}

const unavailable =
  'ERR_HOOK_UNAVAILABLE: A program that decides about uploads cannot be reached; try again\n'

/** Sends the request that makes an event happen. */
async function act(site: Awaited<ReturnType<typeof start>>, event: string) {
  if (event === 'pre-create') return post(site, { 'upload-length': '10' })
  const url = await createUpload(site, { 'upload-length': '10' })
  return event === 'pre-finish' ? patch(url, 0, '0123456789') : remove(url)
}

/** A different outcome for the client, and the reason. */
const differences: readonly {
  readonly why: string
  readonly programs: readonly string[]
  readonly kinds?: readonly Kind[]
  readonly status: number | 'taken'
}[] = [
  {
    why: 'A failure of the hook is no fault of this server, and its internals stay inside',
    programs: [
      ...['exits with 0 and prints no JSON', 'exits with 0 and prints JSON and more'],
      ...['exits with 1', 'exits with 1 and prints', 'exits with 77', 'is killed by a signal'],
    ],
    kinds: ['tusd'],
    status: 502,
  },
  {
    why: 'A program that is killed has decided nothing',
    programs: ['is killed by a signal'],
    status: 502,
  },
  {
    why: 'A line break says nothing',
    programs: ['exits with 0 and prints a line break'],
    status: 'taken',
  },
  {
    why: 'A program that fails may choose the response',
    programs: ['exits with 1 and rejects'],
    status: 403,
  },
]

describe.each(kinds)('programs do what they do in %s', (kind) => {
  const rows = recorded<Readonly<Record<Kind, Recorded>>>('program-replies')[kind]

  // Rustus has no pre-finish.
  const events = (['pre-create', 'pre-finish', 'pre-terminate'] as const).filter(
    (event) => kind === 'tusd' || event !== 'pre-finish',
  )
  describe.each(events)('%s', (event) => {
    for (const { program, answer } of rows[event]!) {
      test(program, async () => {
        const source = behaviours[program]!
        const site = await start(kind, event, (path) => writeProgram(path, source))
        const reply = await act(site, event)
        const difference = differences.find(
          ({ programs, kinds = [kind] }) => programs.includes(program) && kinds.includes(kind),
        )
        if (difference !== undefined) {
          const taken = event === 'pre-create' ? 201 : 204
          expect(reply.status).toBe(difference.status === 'taken' ? taken : difference.status)
          expect(reply.status, difference.why).not.toBe(answer.status)
          return
        }
        expect(reply.status).toBe(answer.status)
        expect(reply.headers['x-reason']).toBe(answer.headers['X-Reason'])
        if (program.endsWith('rejects')) expect(reply.text).toBe(answer.body)
        if (program.endsWith('changes the upload') && event === 'pre-create') {
          expect(reply.headers.location).toBe('/files/by-program')
        }
      })
    }
  })

  test.each(rows['after the fact'])('a failure of $event changes nothing', async (row) => {
    const { event, program, answers } = row
    const source = behaviours[program]!
    const site = await start(kind, event, (path) => writeProgram(path, source))
    const url = await createUpload(site, { 'upload-length': '20' })
    const replies = [
      await patch(url, 0, '0123456789'),
      await patch(url, 10, '0123456789'),
      await remove(url),
    ]
    expect([201, ...replies.map(({ status }) => status)]).toEqual(answers)
    // Nothing waits for these hooks but the log.
    if (event === 'post-receive') return
    const { lines } = site.logger
    await until(
      async () => lines.map(({ message }) => message),
      (messages) => messages.includes(`The hook ${event} failed`),
    )
  })

  /** Makes it impossible to run a program. */
  const spoil: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    'there is no program': (path) => rm(path),
    'there is no program for the event': (path) => rm(path),
    'the program may not be executed': (path) => chmod(path, 0o644),
    'the program of the #! line is not there': (path) => writeProgram(path, '', '/no/such/program'),
    'there is no folder': (path) => rm(join(path, '..'), { recursive: true }),
  }

  // If there is no program for an event, Rustus refuses all uploads. Here the event is not sent.
  const causes = Object.keys(rows['cannot run']).filter((cause) => cause in spoil)
  test.each(causes)('503 if %s', async (cause) => {
    const site = await start(kind, 'pre-create', spoil[cause]!)
    const reply = await post(site, { 'upload-length': '20' })
    // tusd lets some of these uploads pass. Otherwise both respond with 500 and the reason.
    expect([reply.status, reply.text]).toEqual([503, unavailable])
    expect(causes.length).toBeGreaterThan(1)
  })

  test('a program without a #! line is one for sh, while they respond with 500', async () => {
    const site = await start(kind, 'pre-create', (path) => writeFile(path, 'exit 1\n'))
    const reply = await post(site, { 'upload-length': '20' })
    expect(reply.status).toBe(kind === 'tusd' ? 502 : 400)
  })

  test('a message may be longer than a pipe holds, but not than an argument may be', async () => {
    const site = await start(kind, 'pre-create', (path) => writeProgram(path, 'exit 0'))
    const note = Buffer.from('x'.repeat(60_000)).toString('base64')
    const reply = await post(site, { 'upload-length': '20', 'upload-metadata': `note ${note}` })
    if (kind === 'tusd') {
      expect(reply.status).toBe(
        rows['leaves stdin unread']!['an event longer than a pipe holds']!.status,
      )
    } else {
      expect([reply.status, reply.text]).toEqual([503, unavailable])
    }
  })
})
