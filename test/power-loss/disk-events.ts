import { join, relative } from 'node:path'
import { lastNumberOf, targetOf, textsOf } from './strace-log.js'
import type { Call } from './strace-log.js'

/** A change of the names and files below a directory. Paths are relative to it. */
export type Change =
  | { readonly kind: 'create' | 'mkdir' | 'remove'; readonly path: string }
  | { readonly kind: 'rename' | 'clone'; readonly path: string; readonly from: string }
  | { readonly kind: 'truncate'; readonly path: string; readonly size: number }
  /** Without a position, the text is appended. */
  | { readonly kind: 'write'; readonly path: string; readonly text: string; readonly at?: number }
  | { readonly kind: 'sync'; readonly path: string }

/** A message that a client sends or receives. */
export type Message =
  | { readonly kind: 'request'; readonly request: Request }
  | { readonly kind: 'response'; readonly request: Request; readonly response: ResponseHead }

export interface Request {
  readonly method: string
  readonly url: string
  readonly head: string
}

export interface ResponseHead {
  readonly status: number
  readonly location: string | undefined
  readonly offset: number | undefined
}

/**
 * An event with the lines of the log in which it begins and ends. A response ends where it begins,
 * since a client may see it from then on.
 */
export type DiskEvent = (Change | Message) & { readonly begins: number; readonly ends: number }

/**
 * Returns what the calls changed below `root`, and the messages that they received and sent, in the
 * order of the lines in which they end. `existing` are the paths that were there before.
 */
export function eventsOf(
  calls: readonly Call[],
  root: string,
  existing: readonly string[] = [],
): DiskEvent[] {
  const known = new Set(existing)
  const open = new Map<string, Request>()
  const events: DiskEvent[] = []
  for (const call of calls.filter(({ result }) => result >= 0)) {
    const { begins, ends } = call
    const change = changeOf(call, root, known)
    if (change !== undefined) events.push({ ...change, begins, ends })
    const message = messageOf(call, open)
    if (message !== undefined) {
      events.push({ ...message, begins, ends: message.kind === 'response' ? begins : ends })
    }
  }
  return events.sort((a, b) => a.ends - b.ends)
}

function changeOf(call: Call, root: string, known: Set<string>): Change | undefined {
  const inside = (path: string | undefined) => {
    const local = relative(root, path ?? '')
    return path === undefined || local.startsWith('..') ? undefined : local
  }
  const file = inside(targetOf(call))
  switch (call.name) {
    case 'open':
    case 'openat': {
      const path = inside(textsOf(call)[0])
      if (path === undefined || !call.text.includes('O_CREAT')) return undefined
      if (!call.text.includes('O_EXCL') && known.has(path)) return undefined
      known.add(path)
      return { kind: 'create', path }
    }
    case 'mkdir':
    case 'mkdirat':
    case 'unlink':
    case 'unlinkat':
    case 'rmdir': {
      const base = call.text.startsWith('"') ? '/' : targetOf(call)!
      const name = textsOf(call)[0]!
      const path = inside(name.startsWith('/') ? name : join(base, name))
      if (path === undefined) return undefined
      known.delete(path)
      return { kind: call.name.startsWith('mkdir') ? 'mkdir' : 'remove', path }
    }
    case 'rename':
    case 'renameat':
    case 'renameat2': {
      const [from, path] = textsOf(call).map(inside)
      if (from === undefined || path === undefined) return undefined
      known.delete(from)
      known.add(path)
      return { kind: 'rename', path, from }
    }
  }
  if (file === undefined) return undefined
  switch (call.name) {
    case 'fsync':
    case 'fdatasync':
      return { kind: 'sync', path: file }
    case 'ftruncate':
      return { kind: 'truncate', path: file, size: lastNumberOf(call) }
    case 'write':
    case 'writev':
      return { kind: 'write', path: file, text: textsOf(call).join('').slice(0, call.result) }
    case 'pwrite64':
    case 'pwritev': {
      const text = textsOf(call).join('').slice(0, call.result)
      return { kind: 'write', path: file, text, at: lastNumberOf(call) }
    }
    case 'ioctl': {
      const [, source] = /FICLONE, \d+<([^>]*)>/.exec(call.text) ?? []
      const from = inside(source)
      return from === undefined ? undefined : { kind: 'clone', path: file, from }
    }
    case 'sendfile':
    case 'copy_file_range':
      throw new Error(`${call.name} changes ${file} in an unknown way`)
  }
  return undefined
}

function messageOf(call: Call, open: Map<string, Request>): Message | undefined {
  const connection = targetOf(call)
  if (!connection?.startsWith('TCP:')) return undefined
  if (call.name === 'read') {
    const [head, method, url] =
      /^([A-Z]+) (\S+) HTTP\/1.1\r\n.*?\r\n\r\n/s.exec(textsOf(call)[0] ?? '') ?? []
    if (head === undefined) return undefined
    const request = { method: method!, url: url!, head }
    open.set(connection, request)
    return { kind: 'request', request }
  }
  const text = textsOf(call).join('')
  const [, status] = /^HTTP\/1.1 (\d+)/.exec(text) ?? []
  const request = open.get(connection)
  if (status === undefined || request === undefined) return undefined
  const header = (name: string) => new RegExp(`^${name}: (.*)\\r$`, 'im').exec(text)?.[1]
  const offset = header('upload-offset')
  const response = {
    status: Number(status),
    location: header('location'),
    offset: offset === undefined ? undefined : Number(offset),
  }
  return { kind: 'response', request, response }
}
