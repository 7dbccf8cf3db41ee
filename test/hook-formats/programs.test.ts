import { basename, dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ExecHooks, type ExecHooksOptions } from 'tuskit/exec-hooks'
import type { HookType } from 'tuskit'
import { notedCalls, writeNoting } from '../support/hook-program.js'
import { fileComposer, serve, temporaryDirectory } from '../support/serve.js'
import {
  expectSame,
  recorded,
  Replay,
  type Message,
  type Step,
  withoutRepeats,
} from './recorded.js'

interface Call extends Message {
  readonly program: string
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly stdin: string
}

interface Tusd {
  readonly Event: {
    readonly Upload: { ID: string; Offset: number }
    readonly HTTPRequest: {
      readonly Method: string
      readonly URI: string
      readonly Header: Readonly<Record<string, readonly string[]>>
    }
  }
}

interface Rustus {
  readonly upload: { offset: number; storage: string | null; metadata: Record<string, string> }
  readonly request: {
    readonly method: string
    URI: string
    readonly headers: Readonly<Record<string, string>>
  }
}

const programs = recorded<Readonly<Record<string, readonly Call[]>>>('programs')

/** Puts a variable into the environment that programs inherit. */
function inherit(name: string, value: string): void {
  process.env[name] = value
  onTestFinished(() => {
    delete process.env[name]
  })
}

/** Returns the request that made an event happen, which the message describes. */
function requestOf(body: object): Step['request'] {
  const request = 'Event' in body ? (body as Tusd).Event.HTTPRequest : (body as Rustus).request
  const [method, target, lines] =
    'Header' in request
      ? [request.Method, request.URI, request.Header]
      : [request.method, request.URI.replace(/\/$/, ''), request.headers]
  const headers = Object.entries(lines).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as const),
  )
  const size = headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1]
  return {
    method,
    target: target.replace(/[0-9a-f-]{32,36}/, '{id}'),
    headers,
    bodyLength: Number(size ?? 0),
  }
}

/** Adapts a recorded message to what is different here on purpose; see `messages.test.ts`. */
function asHere({ event, body, volatile }: Message): Message {
  const copy = structuredClone(body) as Tusd | Rustus
  if ('Event' in copy) {
    if (event === 'pre-create') copy.Event.Upload.ID = 'an id'
    if (event === 'post-receive') copy.Event.Upload.Offset -= 1
    return { event, body: copy, volatile: [...volatile, 'body.Event.Upload.ID'] }
  }
  if (event === 'pre-create') copy.upload.storage = null
  if (event === 'post-receive') copy.upload.offset -= 1
  copy.upload.metadata.private = ''
  copy.request.URI = copy.request.URI.replace(/\/$/, '')
  return { event, body: copy, volatile }
}

test.each(['tusd', 'rustus-file', 'rustus-dir'] as const)(
  'programs are called as by %s',
  async (name) => {
    const calls = programs[name]!
    const events = calls.map(({ event }) => event as HookType)
    const isTusd = name === 'tusd'
    const example = isTusd ? 'TUSD_EXAMPLE' : 'RUSTUS_EXAMPLE'
    inherit(example, 'inherited')
    inherit('TUS_ID', 'overwritten')
    const home = await temporaryDirectory()
    const log = join(home, 'calls')
    const folder = join(home, 'hooks')
    const hook = join(home, 'hook')
    const isOne = name === 'rustus-file'
    for (const path of isOne ? [hook] : events.map((event) => join(folder, event))) {
      await writeNoting(path, log)
    }
    const storage: ExecHooksOptions['storage'] = ({ at }) => ({
      Type: isTusd ? 'filestore' : 'file_storage',
      Path: join(home, 'data', at.path!),
      ...(isTusd && { InfoPath: join(home, 'data', `${at.path}.json`) }),
    })
    const site = await serve({
      composer: fileComposer(join(home, 'data')),
      progressInterval: 1,
      hooks: new ExecHooks({
        events,
        ...(isOne ? { program: hook } : { directory: folder }),
        ...(!isTusd && { format: 'rustus', input: 'argument' }),
        storage,
      }),
    })
    const noted = () =>
      notedCalls(log).map((call) => {
        const event = isOne ? call.argv[0]! : basename(call.program)
        const text = isTusd ? call.stdin : call.argv.at(-1)!
        return { ...call, event, text, body: JSON.parse(text) as object }
      })
    const replay = new Replay(site, noted)
    const steps = [['pre-create', 'post-create'], ['post-receive'], ['post-finish']]
    if (isTusd) steps[2]!.unshift('pre-finish')
    for (const wanted of [...steps, ['pre-terminate', 'post-terminate']]) {
      const messages = calls.filter(({ event }) => wanted.includes(event))
      const request = requestOf(messages[0]!.body)
      await replay.send({ request, status: 0, messages }, wanted)
    }

    const sent = withoutRepeats(noted())
    expect(sent.map(({ event }) => event)).toEqual(events)
    for (const [i, { text, argv, env, cwd, stdin, program, body }] of sent.entries()) {
      const call = calls[i]!
      expectSame(body, asHere(call))
      expect(argv.map((value) => (value === text ? '{message}' : value))).toEqual(call.argv)
      expect(env[example]).toBe('inherited')
      if (isTusd) {
        expect(stdin).toBe(text)
        expect(cwd).toBe(dirname(program))
        const { TUS_SIZE, TUS_OFFSET } = call.env
        const offset = call.event === 'post-receive' ? String(Number(TUS_OFFSET) - 1) : TUS_OFFSET
        const id = (body as Tusd).Event.Upload.ID
        expect(env).toMatchObject({ TUS_ID: id, TUS_SIZE, TUS_OFFSET: offset })
      } else {
        // Programs get no standard input, while those of Rustus have its own.
        expect(stdin).toBe('')
        // With a directory, they run in it, as with tusd.
        expect(cwd).toBe(isOne ? process.cwd() : folder)
      }
    }
  },
)
