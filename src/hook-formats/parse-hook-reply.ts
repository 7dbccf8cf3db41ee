import { checkOptions, isPlain, must, type OptionRule } from '../check-options.js'
import { TusError } from '../errors.js'
import type { HookReply } from '../hook-backend.js'
import type { HookResponse, HookType } from '../hooks.js'
import { beMetadata } from '../metadata.js'
import { beHeaders, beStatusUpTo } from '../response-rules.js'

interface TusdReply {
  readonly RejectUpload?: boolean
  readonly RejectTermination?: boolean
  readonly StopUpload?: boolean
  readonly HTTPResponse?: TusdResponse
  readonly ChangeFileInfo?: TusdChanges
}

interface TusdResponse {
  readonly StatusCode?: number
  readonly Body?: string
  readonly Header?: Readonly<Record<string, string>>
}

interface TusdChanges {
  readonly ID?: string
  readonly MetaData?: Readonly<Record<string, string>>
  readonly Storage?: Readonly<Record<string, string>>
}

/**
 * Returns the decision in a reply as tusd 2 expects it: a JSON object with `RejectUpload`,
 * `RejectTermination`, `StopUpload`, `HTTPResponse` and `ChangeFileInfo`. An empty text decides
 * nothing. Members that mean nothing for the event are ignored.
 *
 * Unlike in tusd, a response without a status of 2xx rejects, because the client takes it for a
 * failure.
 *
 * Throws `ERR_HOOK_REPLY` if the text is something else, but ignores what events say that decide
 * nothing.
 *
 * @example
 * const reply = await queue.ask(JSON.stringify(formatHookCall(call)), { signal })
 * return parseHookReply(reply, call.event.type)
 */
export function parseHookReply(text: string, type: HookType): HookReply {
  const decides = type === 'post-receive' || !type.startsWith('post-')
  if (!decides || text.trim() === '') return {}
  try {
    return verdictOf(checkReply(JSON.parse(text) as unknown), type)
  } catch (cause) {
    throw new TusError('ERR_HOOK_REPLY', { cause })
  }
}

function verdictOf(reply: TusdReply, type: HookType): HookReply {
  const response = reply.HTTPResponse && responseOf(reply.HTTPResponse)
  if (type === 'post-receive') return reply.StopUpload ? { stop: response ?? true } : {}
  const rejects = type === 'pre-terminate' ? reply.RejectTermination : reply.RejectUpload
  if (rejects || (response?.status ?? 200) >= 300) return { reject: response ?? true }
  return {
    ...(response && type !== 'access' && { response }),
    ...(type === 'pre-create' && choicesOf(reply.ChangeFileInfo)),
  }
}

function choicesOf({ ID, MetaData, Storage }: TusdChanges = {}): HookReply {
  return {
    ...(ID && { id: ID }),
    ...(MetaData && { metadata: MetaData }),
    ...(Storage?.Path && { place: { path: Storage.Path } }),
  }
}

function responseOf({ StatusCode, Body, Header }: TusdResponse): HookResponse {
  return {
    ...(StatusCode && { status: StatusCode }),
    ...(Header && { headers: Header }),
    ...(Body && { body: Body }),
  }
}

const beString: OptionRule = { expectation: 'a string', accepts: (v) => typeof v === 'string' }
const beStatus = beStatusUpTo(599)
const beStatusOrNone: OptionRule = {
  expectation: `${beStatus.expectation}, or 0`,
  accepts: (v) => v === 0 || beStatus.accepts(v),
}

function checkReply(value: unknown): TusdReply {
  const reply = checkMembers<TusdReply>('The reply of a hook', value, {
    RejectUpload: must.beBoolean,
    RejectTermination: must.beBoolean,
    StopUpload: must.beBoolean,
    HTTPResponse: must.beObject,
    ChangeFileInfo: must.beObject,
  })
  const { HTTPResponse, ChangeFileInfo } = reply
  return {
    ...reply,
    ...(HTTPResponse && {
      HTTPResponse: checkMembers<TusdResponse>('HTTPResponse', HTTPResponse, {
        StatusCode: beStatusOrNone,
        Body: beString,
        Header: beHeaders,
      }),
    }),
    ...(ChangeFileInfo && {
      ChangeFileInfo: checkMembers<TusdChanges>('ChangeFileInfo', ChangeFileInfo, {
        ID: beString,
        MetaData: beMetadata,
        Storage: must.beTexts,
      }),
    }),
  }
}

/**
 * Checks the members that count. As in tusd, their names may have any case, others are ignored, and
 * `null` counts as absent.
 */
function checkMembers<T extends object>(
  name: string,
  value: unknown,
  rules: { readonly [Name in keyof Required<T>]: OptionRule },
): T {
  if (value === null) return {} as T
  if (!isPlain(value)) throw new TypeError(`${name} must be a JSON object`)
  const names = new Map(Object.keys(rules).map((known) => [known.toLowerCase(), known]))
  const known = Object.entries(value).flatMap(([key, member]) => {
    const meant = names.get(key.toLowerCase())
    return meant === undefined || member === null ? [] : [[meant, member]]
  })
  return checkOptions<T>({ name, noun: 'member' }, Object.fromEntries(known) as T, rules)
}
