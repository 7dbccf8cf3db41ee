import type { IncomingMessage } from 'node:http'
import type { Lifecycle } from './capabilities/lifecycle.js'
import type { HookBackend, HookCall, HookRequest } from './hook-backend.js'
import type { AccessContext, HookContext, Hooks, HookType, PreCreateContext } from './hooks.js'
import { targetOf } from './http/route.js'
import { SharedLifecycle } from './shared-lifecycle.js'

/** The hook for each type of event. */
const hookNames = {
  access: 'access',
  'pre-create': 'preCreate',
  'post-create': 'postCreate',
  'post-receive': 'postReceive',
  'pre-finish': 'preFinish',
  'post-finish': 'postFinish',
  'pre-terminate': 'preTerminate',
  'post-terminate': 'postTerminate',
} as const satisfies Readonly<Record<HookType, keyof Hooks>>

type Context = AccessContext | PreCreateContext | HookContext

/** Returns whether an item of the option `hooks` is a backend. */
export function isHookBackend(item: Hooks | HookBackend): item is HookBackend {
  return 'call' in item
}

/** Returns hooks that pass their events to a backend, which is opened first. */
export function hooksOfBackend(backend: HookBackend): Hooks {
  const lifecycle = hasLifecycle(backend) ? SharedLifecycle.of(backend) : undefined
  const hook = async (context: Context) => {
    await lifecycle?.open()
    return backend.call(callOf(context), context)
  }
  return Object.fromEntries(backend.events.map((type) => [hookNames[type], hook]))
}

/** Returns whether a backend has to be opened and closed. */
export function hasLifecycle(backend: HookBackend): backend is HookBackend & Lifecycle {
  return backend.open !== undefined
}

function callOf(context: Context): HookCall {
  const { event, upload, request } = context
  return {
    event,
    upload,
    offset: 'offset' in context ? context.offset : 0,
    ...('action' in context && { action: context.action }),
    request: request && requestOf(request),
  }
}

function requestOf(request: IncomingMessage): HookRequest {
  const { method = '', rawHeaders, headers, socket } = request
  // Requests over HTTP/2 have no `headersDistinct`.
  const values = new Map<string, string[]>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (name.startsWith(':')) continue
    values.set(name, [...(values.get(name) ?? []), rawHeaders[i + 1]!])
  }
  const authority = headers[':authority']
  if (typeof authority === 'string' && !values.has('host')) values.set('host', [authority])
  const { remoteAddress, remotePort } = socket
  return {
    method,
    target: targetOf(request),
    headers: Object.fromEntries(values),
    ...(remoteAddress !== undefined && { remoteAddress, remotePort: remotePort! }),
  }
}
