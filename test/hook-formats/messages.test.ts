import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { HookType } from 'tuskit'
import { HttpHooks, type HookFormat } from 'tuskit/http-hooks'
import { HookServer, json, type Respond } from '../support/hook-server.js'
import { fileComposer, serve, temporaryDirectory } from '../support/serve.js'
import { expectSame, recorded, Replay, type Message, type Step } from './recorded.js'

type Scenarios = Readonly<Record<string, readonly Step[]>>

interface Tusd {
  readonly Event: { readonly Upload: TusdUpload; readonly HTTPRequest: TusdRequest }
}
interface TusdUpload {
  ID: string
  Offset: number
  IsPartial: boolean
  MetaData: Record<string, string>
  Storage: { Type: string | null } | null
}
interface TusdRequest {
  Method: string
  URI: string
  Header: Record<string, string[]>
}

const tusdEvents: readonly HookType[] = [
  ...(['pre-create', 'post-create', 'post-receive', 'pre-finish', 'post-finish'] as const),
  ...(['pre-terminate', 'post-terminate'] as const),
]

/** Starts a server whose hooks are called as those of the recording were. */
async function start(format: HookFormat, events: readonly HookType[], respond: Respond = json({})) {
  const hooks = await HookServer.start(respond)
  const directory = await temporaryDirectory()
  const type = format === 'tusd' ? 'filestore' : 'file_storage'
  const site = await serve({
    composer: fileComposer(directory),
    progressInterval: 1,
    hooks: new HttpHooks({
      url: hooks.url,
      format,
      events,
      storage: ({ at }) => ({
        Type: type,
        Path: join(directory, at.path!),
        ...(format === 'tusd' && { InfoPath: join(directory, `${at.path}.json`) }),
      }),
    }),
  })
  const sent = () =>
    hooks.messages.map(({ headers, text }) => ({
      event: headers['hook-name'] as string,
      body: JSON.parse(text) as object,
    }))
  return { hooks, replay: new Replay(site, sent) }
}

/** Expects the messages of a step to be those of the recording, as `asHere` adapts them. */
async function compare(
  replay: Replay,
  step: Step,
  messages: readonly Message[],
  events = messages.map(({ event }) => event),
) {
  const { status, messages: sent } = await replay.send(step, events)
  expect(sent.map(({ event }) => event).toSorted()).toEqual(events.toSorted())
  for (const message of messages) {
    expectSame(sent.find(({ event }) => event === message.event)!.body, message)
  }
  return status
}

describe('messages are those of tusd', () => {
  const scenarios = recorded<Scenarios>('tusd-http')

  /** Adapts a recorded message to what is different here on purpose. */
  function asHere({ event, body, volatile }: Message): Message {
    const { Upload, HTTPRequest } = (structuredClone(body) as Tusd).Event
    const adapted = { ...body, Event: { Upload, HTTPRequest } }
    // The id is known before the creation, so that a hook can name a place after it.
    if (event === 'pre-create') Upload.ID = 'an id'
    // It comes while bytes come in, and not by a clock that runs on after the request.
    if (event === 'post-receive') Upload.Offset -= 1
    // tusd takes the bytes of a header for UTF-8; here they are Latin-1, as in Node.
    HTTPRequest.Header['X-Latin'] = ['café']
    return { event, body: adapted, volatile: [...volatile, 'body.Event.Upload.ID'] }
  }

  // Partial uploads are no results, so nothing is said when they are finished.
  const isSent = ({ event, body }: Message) =>
    !(event.endsWith('-finish') && (body as Tusd).Event.Upload.IsPartial)

  const changed = 'an upload that a hook changed'

  test.each(Object.keys(scenarios).filter((name) => name !== changed))('%s', async (name) => {
    const { replay } = await start('tusd', tusdEvents)
    for (const step of scenarios[name]!) {
      const messages = step.messages.filter(isSent).map(asHere)
      const prepares = step.messages.length === 0 ? ['pre-create', 'post-create'] : undefined
      const status = await compare(replay, step, messages, prepares)
      // With interop version 6, the response to the draft request that ends an upload is 201.
      expect(status).toBe(name === 'the draft' ? 201 : step.status)
    }
  })

  test(changed, async () => {
    // tusd accepts the id chosen/by-hook. An id with a slash cannot be the last segment of a URL.
    const ChangeFileInfo = {
      ID: 'chosen-by-hook',
      MetaData: { tenant: 'blue' },
      Storage: { Path: 'by-hook.bin', Other: 'ignored' },
    }
    const { replay } = await start('tusd', ['pre-create', 'post-create'], json({ ChangeFileInfo }))
    const [step] = scenarios[changed]!
    const text = JSON.stringify(step!.messages.map(asHere))
    const messages = JSON.parse(text.replaceAll('chosen/by-hook', 'chosen-by-hook')) as Message[]
    const place = ['body.Event.Upload.Storage.Path', 'body.Event.Upload.Storage.InfoPath']
    const adapted = messages.map((message) => ({
      ...message,
      volatile: [...message.volatile, ...place],
    }))
    expect(await compare(replay, step!, adapted)).toBe(201)
  })
})

type Rustus = RustusDefault | RustusTusd

interface RustusDefault {
  readonly upload: {
    offset: number
    length: number | null
    storage: string | null
    is_partial: boolean
    metadata: Record<string, string>
  }
  readonly request: {
    URI?: string
    uri?: string
    method: string
    readonly headers: Record<string, string>
  }
}

type RustusTusd = Tusd['Event']

const rustusEvents = tusdEvents.filter((type) => type !== 'pre-finish')

describe.each([
  ['default', 'rustus'],
  ['v2', 'rustus-v2'],
  ['tusd', 'rustus-tusd'],
] as const)('messages are those of Rustus in its format %s', (name, format) => {
  const scenarios = recorded<Scenarios>(`rustus-http-${name}`)

  /**
   * Adapts a recorded message to what is different here on purpose. Rustus adds a slash to the path
   * that the client sent, drops headers that are not ASCII and metadata without a value, and names
   * the storage before it has chosen a path there.
   */
  function asHere({ event, body, volatile }: Message, { request: sent }: Step): Message {
    const copy = structuredClone(body) as Rustus
    if ('Upload' in copy) {
      const { Upload, HTTPRequest } = copy
      if (event === 'pre-create') Upload.Storage!.Type = null
      if ('filename' in Upload.MetaData) Upload.MetaData.private = ''
      Upload.Offset = offsetHere(event, Upload.Offset)
      if (isFinal(event, sent)) Object.assign(Upload, { Size: 100, SizeIsDeferred: false })
      HTTPRequest.URI = HTTPRequest.URI.replace(/\/$/, '')
      HTTPRequest.Method = sent.method
      HTTPRequest.Header['x-latin'] = ['café']
    } else {
      const { upload, request } = copy
      if (event === 'pre-create') upload.storage = null
      if ('filename' in upload.metadata) upload.metadata.private = ''
      upload.offset = offsetHere(event, upload.offset)
      if (isFinal(event, sent)) upload.length = 100
      const member = format === 'rustus' ? 'URI' : 'uri'
      request[member] = request[member]!.replace(/\/$/, '')
      // Rustus names the method of X-HTTP-Method-Override, tusd that of the request.
      request.method = sent.method
      request.headers['x-latin'] = 'café'
    }
    const concat = ['request.headers', 'HTTPRequest.Header'].map(
      (path) => `body.${path}.upload-concat`,
    )
    return { event, body: copy, volatile: [...volatile, ...concat] }
  }

  /** Rustus does not know yet how long the final upload will be. */
  function isFinal(event: string, { headers }: Step['request']): boolean {
    const isConcat = headers.some(([, value]) => value.startsWith('final;'))
    return isConcat && event === 'pre-create'
  }

  /** Both events come sooner here: before the bytes of a creation, and while bytes come in. */
  function offsetHere(event: string, offset: number): number {
    if (event === 'post-create') return 0
    return event === 'post-receive' ? offset - 1 : offset
  }

  const isSent = ({ event, body }: Message) => {
    const isPartial =
      'Upload' in body
        ? (body as RustusTusd).Upload.IsPartial
        : (body as RustusDefault).upload.is_partial
    return !(event === 'post-finish' && isPartial)
  }

  test.each(Object.keys(scenarios))('%s', async (scenario) => {
    const { replay, hooks } = await start(format, rustusEvents)
    for (const step of scenarios[scenario]!) {
      const messages = step.messages.filter(isSent).map((message) => asHere(message, step))
      const events = messages.map(({ event }) => event)
      // Rustus leaves post-create out when an upload is finished at once.
      const isCreation = step.request.target === '/files' || step.messages.length === 0
      const all = isCreation ? new Set(['pre-create', 'post-create', ...events]) : events
      expect(await compare(replay, step, messages, [...all])).toBe(step.status)
    }
    for (const { headers } of hooks.messages) {
      expect(headers).toMatchObject({
        'content-type': 'application/json',
        'idempotency-key': expect.stringMatching(/./) as string,
      })
    }
  })
})
