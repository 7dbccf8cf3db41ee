import type { OutgoingHttpHeaders } from 'node:http'
import { expect } from 'vitest'
import { type Reply, send, type Sent, type Site } from '../../support/serve.js'

/** An interop version of the IETF draft, or none. */
export type Version = number | undefined

/** Headers. One that is `undefined` is left out. */
export type Fields = Readonly<Record<string, string | string[] | undefined>>

type Origin = Pick<Site, 'origin'>
type Headers = Readonly<Record<string, string>>
type Request = Sent & { readonly headers: OutgoingHttpHeaders }

/** A client that speaks one interop version of the draft. */
export interface Draft {
  /** The header that names the version. */
  readonly named: Headers
  /** The header of a body that is the end, or of an upload that is complete. */
  readonly end: Headers
  /** The header of a body or an upload that more bytes follow. */
  readonly more: Headers
  /** The status of an upload that is gone (B14). */
  readonly goneStatus: number
  /** `end` or `more`. */
  completes(end: boolean): Headers
  /** A creation. Only `fields` say whether its body is the end. */
  creation(site: Origin, body: string | Buffer, fields?: Fields): Request
  create(site: Origin, body: string | Buffer, fields?: Fields): Promise<Reply>
  /** An append that is valid except for `fields`. Only they say whether its body is the end. */
  appending(url: string, offset: number, body: string | Buffer, fields?: Fields): Request
  append(url: string, offset: number, body: string | Buffer, fields?: Fields): Promise<Reply>
  /** Creates an upload that has these bytes and waits for more, and returns its URL. */
  started(site: Origin, body: string | Buffer, fields?: Fields): Promise<string>
  ask(method: 'HEAD' | 'GET' | 'DELETE', url: string, fields?: Fields): Promise<Reply>
  /** Returns the headers of a successful HEAD. */
  stateOf(url: string): Promise<Reply['headers']>
}

/** The supported interop versions, and none. */
export const versions: readonly Version[] = [3, 4, 5, 6, 7, 8, 9, undefined]

/** Fields of a body whose size is unknown until it ends. */
export const chunked = { 'content-length': undefined, 'transfer-encoding': 'chunked' }

/** Returns a client that speaks `version`. */
export function draftOf(version: Version): Draft {
  const named = version === undefined ? {} : { 'upload-draft-interop-version': String(version) }

  const completes: Draft['completes'] = (end) =>
    version === 3
      ? { 'upload-incomplete': end ? '?0' : '?1' }
      : { 'upload-complete': end ? '?1' : '?0' }

  const creation: Draft['creation'] = ({ origin }, body, fields = {}) => {
    const all = { ...named, 'content-length': String(Buffer.byteLength(body)), ...fields }
    return { method: 'POST', url: `${origin}/files`, headers: defined(all), body }
  }

  const appending: Draft['appending'] = (url, offset, body, fields = {}) => {
    const all = {
      ...named,
      ...((version ?? 9) >= 6 && { 'content-type': 'application/partial-upload' }),
      'upload-offset': String(offset),
      'content-length': String(Buffer.byteLength(body)),
      ...fields,
    }
    return { method: 'PATCH', url, headers: defined(all), body }
  }

  const draft: Draft = {
    named,
    end: completes(true),
    more: completes(false),
    goneStatus: (version ?? 9) <= 6 ? 404 : 410,
    completes,
    creation,
    create: (...given) => send(creation(...given)),
    appending,
    append: (...given) => send(appending(...given)),
    async started(site, body, fields = {}) {
      const reply = await draft.create(site, body, { ...draft.more, ...fields })
      expect([reply.status, reply.headers['upload-offset']]).toEqual([201, String(body.length)])
      return urlIn(reply, site)
    },
    ask: (method, url, fields = {}) =>
      send({ method, url, headers: defined({ ...named, ...fields }) }),
    async stateOf(url) {
      const { status, headers } = await draft.ask('HEAD', url)
      expect(status).toBe(204)
      return headers
    },
  }
  return draft
}

/** A client that speaks version 9, for tests of what all versions have in common. */
export const draft9 = draftOf(9)

/** Returns the fields without those that are left out. */
export function defined(fields: Fields): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

/** Returns the URL that a response names. */
export function urlIn(reply: Reply, { origin }: Origin): string {
  return new URL(reply.headers.location!, origin).href
}

/** Returns the problem that a response describes (RFC 9457). */
export function problemIn({ headers, text }: Reply): Readonly<Record<string, unknown>> {
  expect(headers['content-type']).toBe('application/problem+json')
  return JSON.parse(text) as Record<string, unknown>
}

/** Returns the number that a key of `Upload-Limit` has. */
export function limitIn({ headers }: Pick<Reply, 'headers'>, key: string): number | undefined {
  const found = String(headers['upload-limit'])
    .split(', ')
    .map((member) => member.split('='))
    .find(([name]) => name === key)
  return found && Number(found[1])
}
