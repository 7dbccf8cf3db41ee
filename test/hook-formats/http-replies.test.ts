import { describe, expect, test } from 'vitest'
import type { HookType } from 'tuskit'
import { HttpHooks, type HttpHooksOptions } from 'tuskit/http-hooks'
import { HookServer, json, type Respond } from '../support/hook-server.js'
import {
  createUpload,
  fileComposer,
  head,
  openPatch,
  patch,
  post,
  remove,
  serve,
  temporaryDirectory,
  until,
  type Reply,
  type Site,
} from '../support/serve.js'
import { keptLog } from '../support/stages.js'
import { recorded } from './recorded.js'

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

interface Row {
  readonly reply: string
  /** Absent when the connection was closed, or there was no response in time. */
  readonly hookReply: Partial<Answer> | null
  readonly answer: Answer
  readonly head?: { readonly status: number; readonly metadata?: string; readonly offset?: string }
}

interface AfterTheFact {
  readonly event: HookType
  /** The statuses of a creation, two chunks and a termination. */
  readonly answers: readonly number[]
}

/** A different outcome for the client, and the reason. */
interface Difference {
  readonly why: string
  readonly replies: readonly string[]
  /** Only for these events. */
  readonly events?: readonly string[]
  /** The status, or `taken` when the reply rejects nothing. */
  readonly status: number | 'taken'
}

/** Replies as the hook of the recording did. */
function repeating({ reply, hookReply }: Row): Respond {
  return (response) => {
    if (reply.includes('closed')) return response.destroy()
    if (hookReply === null) return
    const { status, headers, body = '' } = hookReply
    const size = /^{(\d+) bytes}$/.exec(body)?.[1]
    const padding = size && JSON.stringify({ Padding: 'x'.repeat(Number(size) - 14) })
    response.writeHead(status!, headers).end(padding ?? body)
  }
}

/** Starts a server with one hook that replies like this, and gives the others an empty reply. */
async function start(type: HookType, respond: Respond, options: Partial<HttpHooksOptions> = {}) {
  const hooks = await HookServer.start((response, message) => {
    const isMeant = message.headers['hook-name'] === type
    return (isMeant ? respond : json({}))(response, message)
  })
  const logger = keptLog()
  const site = await serve({
    composer: fileComposer(await temporaryDirectory()),
    progressInterval: 1,
    logger,
    hooks: new HttpHooks({
      url: hooks.url,
      events: [type],
      timeout: 300,
      attempts: 1,
      ...options,
    }),
  })
  return { site, hooks, logger }
}

const metadata = 'filename YS50eHQ=,tenant cmVk'

interface Outcome {
  readonly reply: Reply
  /** The upload, if there is one. */
  readonly url?: string
}

/** The requests of the recording, by the event whose hook replies. Returns the last response. */
const requests: Readonly<Record<string, (site: Site) => Promise<Outcome>>> = {
  async 'pre-create'(site) {
    const headers = { 'upload-length': '20', 'upload-metadata': metadata }
    const reply = await post(site, headers)
    const { location } = reply.headers
    return { reply, ...(location && { url: site.origin + location }) }
  },
  async 'pre-finish'(site) {
    const url = await createUpload(site, { 'upload-length': '10' })
    return { reply: await patch(url, 0, '0123456789'), url }
  },
  async 'pre-finish at creation'(site) {
    return { reply: await post(site, { 'upload-length': '10' }, '0123456789') }
  },
  async 'pre-terminate'(site) {
    const url = await createUpload(site, { 'upload-length': '20' })
    return { reply: await remove(url), url }
  },
}

const taken: Readonly<Record<string, number>> = {
  'pre-create': 201,
  'pre-finish': 204,
  'pre-finish at creation': 201,
  'pre-terminate': 204,
}

/** Expects what the recorded client got. */
async function expectSame({ answer, head: state }: Row, { reply, url }: Outcome): Promise<void> {
  expect(reply.status).toBe(answer.status)
  // The sentences of errors are our own.
  if (!answer.body.startsWith('ERR_')) expect(reply.text).toBe(answer.body)
  for (const [name, value] of Object.entries(answer.headers)) {
    const sent = reply.headers[name.toLowerCase()]
    if (name.toLowerCase() === 'location') expect(sent).toMatch(/^\/files\/[^/]+$/)
    else expect([name, sent]).toEqual([name, value])
  }
  if (state === undefined || url === undefined) return
  // The record of an upload that is gone is removed a moment later.
  const found = await until(
    () => head(url),
    ({ status }) => status !== 410,
  )
  expect(found.status).toBe(state.status)
  if (state.status !== 200 || state.offset === undefined) return
  expect(found.headers['upload-metadata']).toBe(state.metadata)
  expect(found.headers['upload-offset']).toBe(state.offset)
}

/** Expects the difference, and that no upload exists after a creation that failed. */
async function expectDifferent({ status }: Difference, event: string, { reply, url }: Outcome) {
  expect(reply.status).toBe(status === 'taken' ? taken[event] : status)
  if (reply.status >= 400 && event === 'pre-create') expect(url).toBeUndefined()
}

/** Compares a row, unless it is different. Then it fails if there is no difference. */
async function compare(row: Row, event: string, outcome: Outcome, all: readonly Difference[]) {
  const difference = all.find(
    ({ replies, events = [event] }) => replies.includes(row.reply) && events.includes(event),
  )
  if (difference === undefined) return expectSame(row, outcome)
  await expectDifferent(difference, event, outcome)
  await expect(expectSame(row, outcome), difference.why).rejects.toThrow()
}

const failures: readonly Difference[] = [
  {
    why: 'A failure of the hook is no fault of this server, and its internals stay inside',
    replies: [
      ...['no JSON', 'JSON list', 'JSON and more', 'a member of the wrong type', 'status 304'],
      ...['status 400', 'status 400 with JSON', 'status 404', 'RejectUpload as a string'],
      'ChangeFileInfo: MetaData with a number',
    ],
    status: 502,
  },
  {
    why: 'The hook is down',
    replies: ['status 500', 'status 503', 'no response, the connection is closed'],
    status: 503,
  },
  {
    why: 'The hook is slow',
    replies: ['no response within -hooks-http-timeout'],
    status: 504,
  },
]

describe('replies do what they do in tusd', () => {
  const rows = recorded<Readonly<Record<string, readonly Row[]>>>('tusd-http-replies')
  const differences: readonly Difference[] = [
    ...failures,
    {
      why: 'JSON is known by itself, and no body decides nothing, as with programs',
      replies: [
        ...['no body', 'status 204', 'no content type', 'another content type'],
        'a content type that ends in +json',
      ],
      status: 'taken',
    },
    {
      why: 'A reply may have a mebibyte',
      replies: ['a body of 5121 bytes'],
      status: 'taken',
    },
    {
      why: 'The client takes the status for a failure, so it rejects',
      replies: ['all of them'],
      status: 403,
    },
    {
      why: 'No client understands such a response',
      replies: ['status 999', 'status 99', 'a header with a line break'],
      status: 502,
    },
    {
      why: 'The length of the body is what it is, and Location where the upload is',
      replies: ['headers of the protocol'],
      status: 'taken',
    },
    {
      why: 'A body needs a status that can have one',
      replies: ['a body'],
      events: ['pre-finish', 'pre-terminate'],
      status: 200,
    },
    {
      why: 'A rejection without a body has the sentence of the error',
      replies: ['RejectUpload'],
      events: ['pre-finish'],
      status: 422,
    },
    {
      why: 'Clients could not read such metadata',
      replies: ['ChangeFileInfo: MetaData with odd keys'],
      status: 502,
    },
    {
      why: 'An id is one segment of a URL, in which no character needs an escape',
      replies: [
        ...['a slash', 'every allowed character', 'a percent sign', 'a leading slash'],
        ...['a trailing slash', 'a space', 'a letter that is not ASCII', 'a question mark'],
        'dots',
      ].map((odd) => `ChangeFileInfo: ID with ${odd}`),
      status: 422,
    },
    {
      why: 'Data stays in the folder of the store',
      replies: ['ChangeFileInfo: Storage with a path outside'],
      status: 422,
    },
    {
      why: 'There is no such folder, because no id has a slash',
      replies: ['ChangeFileInfo: ID of a folder'],
      status: 'taken',
    },
  ]

  describe.each(Object.keys(requests))('%s', (event) => {
    test.each(rows[event]!)('$reply', async (row) => {
      const type = event.replace(' at creation', '') as HookType
      const { site } = await start(type, repeating(row))
      await compare(row, event, await requests[event]!(site), differences)
    })
  })

  test.each(rows['post-receive']!)('post-receive: $reply', async (row) => {
    const { site, hooks } = await start('post-receive', repeating(row))
    const url = await createUpload(site, { 'upload-length': '100' })
    const { request, reply } = openPatch(url, 0, { 'content-length': '100' })
    request.write(Buffer.alloc(40))
    await hooks.received(1)
    // A hook that stops the upload does so before the rest comes.
    if (!row.reply.startsWith('StopUpload')) request.end(Buffer.alloc(60))
    const { status, text, headers } = await reply
    expect(status).toBe(row.answer.status)
    if (!row.answer.body.startsWith('ERR_')) expect(text).toBe(row.answer.body)
    expect(headers['x-reason']).toBe(row.answer.headers['X-Reason'])
    // tusd removes an upload that is stopped. Here it keeps its response for a while.
    const state = row.reply.startsWith('StopUpload') ? status : row.head!.status
    expect((await head(url)).status).toBe(state)
  })

  test.each(rows['after the fact']!)('after the fact: $reply', async (row) => {
    for (const type of ['post-create', 'post-finish', 'post-terminate'] as const) {
      const { site, hooks } = await start(type, repeating(row))
      const url = await createUpload(site, { 'upload-length': '10' })
      const answers = [await patch(url, 0, '0123456789'), await remove(url)]
      const { answers: expected } = row as unknown as { readonly answers: readonly number[] }
      expect([201, ...answers.map(({ status }) => status)]).toEqual(expected)
      await hooks.received(1)
    }
  })

  test('an id that is in use gets 422, while tusd replaces the upload', async () => {
    const { site } = await start('pre-create', json({ ChangeFileInfo: { ID: 'taken' } }))
    const url = await createUpload(site, { 'upload-length': '20' })
    await patch(url, 0, '0123456789')
    expect((await post(site, { 'upload-length': '30' })).status).toBe(422)
    expect((await head(url)).headers).toMatchObject({
      'upload-length': '20',
      'upload-offset': '10',
    })
  })
})

describe('replies do what they do in Rustus', () => {
  const rows = recorded<Readonly<Record<string, readonly Row[]>>>('rustus-http-replies')
  const differences: readonly Difference[] = [
    {
      why: 'Another server must not decide',
      replies: ['302 to a page that replies 200', '307 to a page that replies 200'],
      status: 502,
    },
    {
      why: 'It is no decision, and no response to such a request',
      replies: ['304 without body'],
      status: 502,
    },
    {
      why: 'The hook is down, and its page may show internals',
      replies: [
        ...['500 with text', '503 with text', '599 with text'],
        'the connection is closed without a reply',
      ],
      status: 503,
    },
  ]

  describe.each(['pre-create', 'pre-terminate'] as const)('%s', (event) => {
    test.each(rows[event]!)('$reply', async (row) => {
      const { site } = await start(event, repeating(row), { format: 'rustus' })
      const outcome = await requests[event]!(site)
      // The offset of a new upload is known, and a body that is empty has no type.
      const { 'upload-offset': _, 'content-type': type, ...headers } = row.answer.headers
      const typed = row.answer.body === '' ? headers : { ...headers, 'content-type': type! }
      const asHere = { ...row, answer: { ...row.answer, headers: typed } }
      await compare(asHere, event, outcome, differences)
    })
  })
  test.each(rows['after the fact'] as unknown as readonly AfterTheFact[])(
    'a failure of $event changes nothing',
    async ({ event, answers }) => {
      const { site, hooks, logger } = await start(event, json('broken', 404), { format: 'rustus' })
      const url = await createUpload(site, { 'upload-length': '20' })
      const sending = openPatch(url, 0, { 'content-length': '10' })
      sending.request.write('012345678')
      if (event === 'post-receive') await hooks.received(1)
      sending.request.end('9')
      const sent = [await sending.reply, await patch(url, 10, '0123456789'), await remove(url)]
      expect([201, ...sent.map(({ status }) => status)]).toEqual(answers)
      await hooks.received(1)
      await until(
        async () => logger.lines.map(({ message }) => message),
        (messages) => messages.includes(`The hook ${event} failed`),
      )
    },
  )
})
