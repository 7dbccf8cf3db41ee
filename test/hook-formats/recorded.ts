import http from 'node:http'
import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { until, type Site } from '../support/serve.js'

/** A request that made hooks run, and what was sent to them. */
export interface Step {
  readonly request: {
    readonly method: string
    readonly target: string
    readonly headers: readonly (readonly [name: string, value: string])[]
    readonly bodyLength: number
  }
  readonly status: number
  readonly messages: readonly Message[]
}

export interface Message {
  readonly event: string
  readonly body: object
  /** Paths of members that differ each time, such as `body.Upload.ID`. */
  readonly volatile: readonly string[]
}

/** Returns a recorded file. */
export function recorded<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`recorded/${name}.json`, import.meta.url), 'utf8')) as T
}

/** Sends requests again, one after another, and returns the messages that hooks get. */
export class Replay {
  readonly #site: Site
  /** Returns the messages that have come so far. */
  readonly #sent: () => readonly Pick<Message, 'event' | 'body'>[]
  readonly #ids: string[] = []
  #seen = 0

  constructor(site: Site, sent: () => readonly Pick<Message, 'event' | 'body'>[]) {
    this.#site = site
    this.#sent = sent
  }

  /** Sends a request. Resolves with the messages when all these events have come. */
  async send({ request }: Step, events: readonly string[]) {
    const body = Buffer.alloc(request.bodyLength, 'x')
    const sending = http.request({
      host: '127.0.0.1',
      port: this.#site.port,
      agent: false,
      setHost: false,
      method: request.method,
      path: this.#withIds(request.target),
    })
    for (const [name, value] of request.headers) sending.appendHeader(name, this.#withIds(value))
    // Node would add it.
    sending.removeHeader('connection')
    const responding = new Promise<http.IncomingMessage>((resolve, reject) => {
      sending.on('response', resolve).on('error', reject)
    })
    // This event comes only while a request runs. So its last byte waits.
    const waits = events.includes('post-receive')
    if (waits) {
      sending.write(body.subarray(0, -1))
      await this.#until(events.filter((event) => !/-finish$/.test(event)))
    }
    sending.end(waits ? body.subarray(-1) : body)
    const response = await responding
    response.resume()
    const { location } = response.headers
    if (location !== undefined) this.#ids.push(location.split('/').at(-1)!)
    await this.#until(events)
    const messages = this.#sent().slice(this.#seen)
    this.#seen += messages.length
    return { status: response.statusCode, messages: withoutRepeats(messages) }
  }

  async #until(events: readonly string[]): Promise<void> {
    await until(
      async () => this.#sent().slice(this.#seen),
      (messages) => events.every((event) => messages.some((message) => message.event === event)),
    )
  }

  /** Puts the ids of the uploads in place: the last one, or the last ones in their order. */
  #withIds(text: string): string {
    const ids = this.#ids.slice(-text.split('{id}').length + 1)
    return text.replaceAll('{id}', () => ids.shift()!)
  }
}

/**
 * Returns the messages with only the first `post-receive`. On a slow machine, another one comes for
 * the last byte, before the response.
 */
export function withoutRepeats<T extends Pick<Message, 'event'>>(messages: readonly T[]): T[] {
  const first = messages.findIndex(({ event }) => event === 'post-receive')
  return messages.filter(({ event }, index) => event !== 'post-receive' || index === first)
}

/** Expects a message to be the recorded one, except for what differs each time. */
export function expectSame(sent: object, { event, body, volatile }: Message): void {
  const paths = volatile.filter((path) => path.startsWith('body.'))
  const blank = (value: object) => {
    const copy = structuredClone({ body: value })
    for (const path of paths) replaceAt(copy, path.split('.'))
    return copy.body
  }
  expect({ event, body: blank(sent) }).toEqual({ event, body: blank(body) })
}

/** Replaces a member that is not empty by its type. */
function replaceAt(value: object, [name = '', ...rest]: readonly string[]): void {
  const members = value as Record<string, unknown>
  const member = members[name]
  if (rest.length > 0 && typeof member === 'object' && member !== null) replaceAt(member, rest)
  else if (rest.length === 0 && member) members[name] = `a ${typeof member} that varies`
}
