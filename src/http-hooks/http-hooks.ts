import { randomUUID } from 'node:crypto'
import type { ReadOptions } from '../capabilities/call-options.js'
import { checkOptions, must, type OptionRule } from '../check-options.js'
import { isConnectionHeader } from '../connection-headers.js'
import { isTusError, TusError } from '../errors.js'
import type { HookBackend, HookCall, HookReply } from '../hook-backend.js'
import {
  formatHookCall,
  hookFormatRules,
  type HookFormatOptions,
} from '../hook-formats/format-hook-call.js'
import { parseHookReply } from '../hook-formats/parse-hook-reply.js'
import { usualEvents } from '../hook-formats/usual-events.js'
import { hookTypes, type HookType } from '../hooks.js'
import { isHttpToken } from '../http-token.js'
import { retry } from '../store-kit/retry.js'
import { post, type Reply } from './post.js'
import { secretOf, signed } from './signature.js'

/** Options of {@link HttpHooks}. */
export interface HttpHooksOptions extends HookFormatOptions {
  /** The URL that gets a `POST` for each event. Required. */
  readonly url: string
  /**
   * The events that are handled.
   * @default all but `access`, `pre-finish` and `pre-terminate`
   */
  readonly events?: readonly HookType[]
  /**
   * The names of headers of the client's request that the request to the URL has too, such as
   * `Authorization`.
   * @default []
   */
  readonly forwardHeaders?: readonly string[]
  /**
   * The key of the signature, as the specification Standard Webhooks has it: `whsec_` and at least
   * 24 bytes in Base64. With it, requests have `webhook-id`, `webhook-timestamp` and
   * `webhook-signature`.
   * @default requests are not signed
   */
  readonly secret?: string
  /**
   * Milliseconds that one attempt may take.
   * @default 5_000
   */
  readonly timeout?: number
  /**
   * How often an event is sent at most while the URL cannot be reached, takes too long, or responds
   * with 5xx.
   * @default 3
   */
  readonly attempts?: number
  /**
   * The longest wait before the second attempt, in milliseconds. It doubles for each further one,
   * up to 5,000.
   * @default 1_000
   */
  readonly delay?: number
}

const beUrl: OptionRule = {
  expectation: 'a URL that begins with http:// or https://, without user name and password',
  accepts: (v) => typeof v === 'string' && URL.canParse(v) && isUsable(new URL(v)),
}

/** `fetch` refuses others. */
function isUsable({ protocol, username, password }: URL): boolean {
  return /^https?:$/.test(protocol) && username + password === ''
}

/** Headers about a message itself. */
const framing = ['host', 'expect', 'content-type', 'content-length', 'content-encoding']

const beForwardable: OptionRule = {
  expectation: 'an array of names of headers, none of them about a message itself',
  accepts: (v) => Array.isArray(v) && v.every(isForwardable),
}

function isForwardable(name: unknown): boolean {
  if (typeof name !== 'string' || !isHttpToken(name)) return false
  return !isConnectionHeader(name) && !framing.includes(name.toLowerCase())
}

/**
 * Sends each event to a URL, as tusd and Rustus do. The message is the body, as JSON. `Hook-Name`
 * is the type of the event. `Idempotency-Key` is the same for all attempts; for `post-` events it
 * is the id of the event.
 *
 * In the form of tusd, the body of a response with 2xx is the reply: JSON, or nothing. Every other
 * response is a failure (`ERR_HOOK_REPLY`). In the forms of Rustus, the status decides: 2xx
 * accepts, and 4xx rejects with the same status, body and `Content-Type`, or is a failure if the
 * event is over.
 *
 * Redirects are failures: another server must not decide. A URL that cannot be reached or responds
 * with 5xx is `ERR_HOOK_UNAVAILABLE`, one that takes too long is `ERR_HOOK_TIMEOUT`.
 *
 * @example
 * const handler = createHandler({
 *   basePath: '/files',
 *   composer,
 *   hooks: new HttpHooks({ url: 'https://app.example/hooks', forwardHeaders: ['Authorization'] }),
 * })
 */
export class HttpHooks implements HookBackend {
  readonly events: readonly HookType[]
  readonly #options: HttpHooksOptions
  readonly #secret: Buffer | undefined

  constructor(options: HttpHooksOptions) {
    this.#options = checkOptions<HttpHooksOptions>('HttpHooks', options, {
      url: { ...beUrl, required: true },
      events: must.beListOf(...hookTypes),
      forwardHeaders: beForwardable,
      secret: must.beText,
      timeout: must.beMilliseconds,
      attempts: must.beCount,
      delay: must.beTimeout,
      ...hookFormatRules,
    })
    const { events = usualEvents, secret } = this.#options
    this.events = events.slice()
    this.#secret = secret === undefined ? undefined : secretOf(secret)
  }

  async call(call: HookCall, { signal }: ReadOptions): Promise<HookReply> {
    const { url, timeout = 5_000, attempts = 3, delay = 1_000, format = 'tusd' } = this.#options
    const body = JSON.stringify(formatHookCall(call, this.#options))
    const { type } = call.event
    const key = keyOf(call)
    const send = async () => {
      const headers = {
        ...this.#forwarded(call),
        'content-type': 'application/json',
        'hook-name': type,
        'idempotency-key': key,
        ...(this.#secret && signed(this.#secret, key, body)),
      }
      const reply = await post({ url, headers, body, timeout, signal })
      if (reply.status >= 500) throw unexpected('ERR_HOOK_UNAVAILABLE', reply)
      return reply
    }
    const reply = await retry(send, { signal, attempts, delay, isWorthIt })
    return format === 'tusd' ? tusdReply(type, reply) : rustusReply(type, reply)
  }

  #forwarded({ request }: HookCall): Record<string, string> {
    const headers: Record<string, string> = {}
    for (const name of this.#options.forwardHeaders ?? []) {
      const values = request?.headers[name.toLowerCase()]
      // Over HTTP/2, a browser sends each cookie in a line of its own.
      const separator = name.toLowerCase() === 'cookie' ? '; ' : ', '
      if (values !== undefined) headers[name.toLowerCase()] = values.join(separator)
    }
    return headers
  }
}

/**
 * Returns the key by which a receiver recognises a message that is sent again. The same question
 * may be asked twice, about `access` for example, and needs a new decision each time.
 */
function keyOf({ event }: HookCall): string {
  return event.type.startsWith('post-') ? event.id : randomUUID()
}

function isWorthIt(error: unknown): boolean {
  return isTusError(error, 'ERR_HOOK_UNAVAILABLE') || isTusError(error, 'ERR_HOOK_TIMEOUT')
}

function tusdReply(type: HookType, reply: Reply): HookReply {
  if (!isSuccess(reply)) throw unexpected('ERR_HOOK_REPLY', reply)
  return parseHookReply(reply.text, type)
}

function rustusReply(event: HookType, reply: Reply): HookReply {
  const { status, type, text } = reply
  if (isSuccess(reply)) return {}
  if (status < 400 || event.startsWith('post-')) throw unexpected('ERR_HOOK_REPLY', reply)
  return { reject: { status, body: text, ...(type && { headers: { 'content-type': type } }) } }
}

function isSuccess({ status }: Reply): boolean {
  return status >= 200 && status < 300
}

function unexpected(code: 'ERR_HOOK_UNAVAILABLE' | 'ERR_HOOK_REPLY', { status, text }: Reply) {
  const cause = new Error(`The hook responded with ${status}: ${text.slice(0, 200)}`)
  return new TusError(code, { cause })
}
