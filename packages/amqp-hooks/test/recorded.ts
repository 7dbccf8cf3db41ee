import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { expectSame, type Step } from '../../../test/hook-formats/recorded.js'
import type { Received } from './consumer.js'

/** The things that Rustus declared, and the messages that it sent. */
export interface Recording {
  readonly declared: Declared
  readonly messages: Readonly<Record<string, readonly RecordedMessage[]>>
}
export interface Declared {
  readonly exchanges: readonly object[]
  readonly queues: readonly { readonly name: string }[]
  readonly bindings: readonly object[]
}
/** A message of Rustus. */
export interface RecordedMessage {
  readonly exchange: string
  readonly routingKey: string
  readonly properties: {
    readonly headers: Readonly<Record<string, string>>
    readonly content_type: string
    readonly content_encoding: string
  }
  readonly body: unknown
}
/** The event of a message, in the form `default` of Rustus. */
export interface Body {
  readonly upload: { offset: number; storage: string | null }
  readonly request: {
    URI: string
    readonly method: string
    readonly headers: Readonly<Record<string, string>>
  }
}

const file = new URL('recorded/rustus-amqp.json', import.meta.url)
/** The recordings, by how Rustus was configured. */
export const recordings = JSON.parse(readFileSync(file, 'utf8')) as Readonly<
  Record<string, Recording>
>

/** Returns the request that caused an event, from what its message says about it. */
export function stepOf(body: Body): Step {
  const { URI, method, headers } = body.request
  return {
    request: {
      method,
      target: URI.replace(/\/$/, '').replace(/[^/]{30,}$/, '{id}'),
      headers: Object.entries(headers),
      bodyLength: Number(headers['content-length'] ?? 0),
    },
    status: 0,
    messages: [],
  }
}

/**
 * Expects a message to be the recorded one, except for what differs each time or is different here
 * on purpose.
 */
export function expectSameMessage(here: Received, there: RecordedMessage): void {
  const { exchange, routingKey, properties } = there
  const { content_type: contentType, content_encoding: contentEncoding, headers } = properties
  expect(here).toMatchObject({ exchange, routingKey, properties: { contentType, contentEncoding } })
  const own = here.properties['headers'] as Readonly<Record<string, string>>
  expect(own).toEqual({ ...headers, ...('id' in headers && { id: here.properties['messageId'] }) })
  // A task of Celery has the event as its only argument.
  const isTask = 'task' in headers
  if (isTask) expect(here.body).toEqual([[expect.any(Object)], {}, {}])
  const bodyOf = ({ body }: { readonly body: unknown }) =>
    (isTask ? (body as readonly (readonly [Body])[])[0]![0] : body) as Body
  const event = here.properties['type'] as string
  const body = asHere(bodyOf(there), event)
  expectSame(bodyOf(here), { event, body, volatile })
}

const volatile = ['upload.id', 'upload.created_at', 'upload.path', 'request.URI'].map(
  (path) => `body.${path}`,
)

/** Adapts a recorded event to what is different here on purpose. */
function asHere(recorded: Body, event: string): Body {
  const body = structuredClone(recorded)
  // The path is not chosen yet.
  if (event === 'pre-create') body.upload.storage = null
  // It comes while bytes come in, and not after the response.
  if (event === 'post-receive') body.upload.offset -= 1
  return body
}
