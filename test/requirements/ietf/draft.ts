import type { OutgoingHttpHeaders } from 'node:http'
import { expect } from 'vitest'
import { type Reply, send, type Sent, type Site } from '../../support/serve.js'

/** An interop version of the IETF draft, or none. */
export type Version = number | undefined

/** The status of an upload that is gone (B14). */
export function goneStatus(version: Version): number {
  return (version ?? 9) <= 6 ? 404 : 410
}

/** Headers; one that is `undefined` is left out. */
export type Fields = Readonly<Record<string, string | string[] | undefined>>

/** The interop versions that are spoken, and none. */
export const versions: readonly Version[] = [3, 4, 5, 6, 7, 8, 9, undefined]

/** The size of the body is not told before its end. */
export const chunked = { 'content-length': undefined, 'transfer-encoding': 'chunked' }

/** The header that names the version. */
export function named(version: Version): Record<string, string> {
  return version === undefined ? {} : { 'upload-draft-interop-version': String(version) }
}

/** The header that says whether a body is the end, or the upload complete. */
export function completes(version: Version, end: boolean): Record<string, string> {
  return version === 3
    ? { 'upload-incomplete': end ? '?0' : '?1' }
    : { 'upload-complete': end ? '?1' : '?0' }
}

/** The body is the end, or the upload complete. */
export function end(version: Version): Record<string, string> {
  return completes(version, true)
}

/** More follows. */
export function more(version: Version): Record<string, string> {
  return completes(version, false)
}

/** Without the headers that are left out. */
export function defined(fields: Fields): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

type Origin = Pick<Site, 'origin'>

/** A creation that says whether its body is the end only if `fields` do. */
export function creation(
  { origin }: Origin,
  version: Version,
  body: string | Buffer,
  fields: Fields = {},
): Sent & { readonly headers: OutgoingHttpHeaders } {
  const all = { ...named(version), 'content-length': String(Buffer.byteLength(body)), ...fields }
  return { method: 'POST', url: `${origin}/files`, headers: defined(all), body }
}

export function create(...given: Parameters<typeof creation>): Promise<Reply> {
  return send(creation(...given))
}

/** An append that is right in all but what `fields` change, and says whether its body is the end only if they do. */
export function appending(
  url: string,
  version: Version,
  offset: number,
  body: string | Buffer,
  fields: Fields = {},
): Sent & { readonly headers: OutgoingHttpHeaders } {
  const all = {
    ...named(version),
    ...((version ?? 9) >= 6 && { 'content-type': 'application/partial-upload' }),
    'upload-offset': String(offset),
    'content-length': String(Buffer.byteLength(body)),
    ...fields,
  }
  return { method: 'PATCH', url, headers: defined(all), body }
}

export function append(...given: Parameters<typeof appending>): Promise<Reply> {
  return send(appending(...given))
}

/** The URL that a response tells. */
export function urlIn(reply: Reply, { origin }: Origin): string {
  return new URL(reply.headers.location!, origin).href
}

/** The URL of a new upload that has these bytes and waits for more. */
export async function started(
  site: Origin,
  version: Version,
  body: string | Buffer,
  fields: Fields = {},
): Promise<string> {
  const reply = await create(site, version, body, { ...more(version), ...fields })
  expect([reply.status, reply.headers['upload-offset']]).toEqual([201, String(body.length)])
  return urlIn(reply, site)
}

export function ask(
  method: 'HEAD' | 'GET' | 'DELETE',
  url: string,
  version: Version,
  fields: Fields = {},
): Promise<Reply> {
  return send({ method, url, headers: defined({ ...named(version), ...fields }) })
}

/** What HEAD tells. */
export async function stateOf(url: string, version: Version): Promise<Reply['headers']> {
  const { status, headers } = await ask('HEAD', url, version)
  expect(status).toBe(204)
  return headers
}

/** The problem that a response tells (RFC 9457). */
export function problemIn({ headers, text }: Reply): Readonly<Record<string, unknown>> {
  expect(headers['content-type']).toBe('application/problem+json')
  return JSON.parse(text) as Record<string, unknown>
}

/** The number behind a key of `Upload-Limit`. */
export function limitIn({ headers }: Pick<Reply, 'headers'>, key: string): number | undefined {
  const found = String(headers['upload-limit'])
    .split(', ')
    .map((member) => member.split('='))
    .find(([name]) => name === key)
  return found && Number(found[1])
}
