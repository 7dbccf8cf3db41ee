import { describe, expect, test } from 'vitest'
import { parseUpload, serializeUpload, type Upload } from 'tuskit'
import { whole } from '../../src/conformance/fixture/records.js'
import { uploadOf } from '../file-store/stage.js'

const corrupt = { code: 'ERR_INFO_CORRUPT' }

const at = '2026-01-02T03:04:05.678Z'
const digests = { 'sha-256': 'AA==' }
const response = { status: 400, headers: { 'x-a': 'b' }, body: '', code: 'ERR_REJECTED', digests }

/** Records that together have every member. */
const full = {
  ...uploadOf('a', { length: 1, maxSize: 2, expiresAt: at, completes: true }),
  representation: { method: 'POST', target: '/', headers: {}, digests, wantedDigest: 'sha-256' },
  storage: { kind: 'file', at: { path: 'a' }, secret: { any: [null, 1, 'thing'] } },
}
const partial = { ...full, concat: { kind: 'partial', finals: ['b'] } }
const final = { ...full, concat: { kind: 'final', header: 'final;a', partials: ['a'] } }
const finished = { ...full, state: { kind: 'finished', at, response, digests } }
const rejected = { ...full, state: { kind: 'rejected', at, response } }
const gone = { ...full, state: { kind: 'gone', at, cause: 'overrun' } }

type Path = readonly (string | number)[]

/** The paths of all members, except those whose form only stores know. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null || path.at(-1) === 'secret') return []
  return Object.entries(value).flatMap(([name, member]) => [
    [...path, name],
    ...pathsOf(member, [...path, name]),
  ])
}

function changed(record: object, path: Path, value: unknown): string {
  const copy = JSON.parse(JSON.stringify(record)) as Record<string, unknown>
  let holder = copy
  for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>
  holder[path.at(-1)!] = value
  return JSON.stringify(copy)
}

describe('parseUpload', () => {
  test.each(whole.map((record) => [record.id, record] as const))(
    'returns the record that serializeUpload wrote: %s',
    (_, record) => {
      const found = parseUpload(serializeUpload(record))
      expect(found).toEqual(record)
      expect(Object.keys(found)).toEqual(Object.keys(record))
      expect(Object.getPrototypeOf(found.metadata.values)).toBeNull()
    },
  )

  test.each([
    ['partial', partial],
    ['final', final],
    ['finished', finished],
    ['rejected', rejected],
    ['gone', gone],
  ])('checks each member of the record of a %s upload', (_, record) => {
    expect(parseUpload(JSON.stringify(record))).toEqual(record)
    const paths = pathsOf(record).filter((path) => path.at(-1) !== 'secret')
    expect(paths.length).toBeGreaterThan(25)
    for (const path of paths) {
      // Wrong for every member. The test includes members that must exist.
      for (const wrong of [-1.5, null, [[]]]) {
        const error = errorOf(() => parseUpload(changed(record, path, wrong)))
        expect(error, `${path.join('.')}: ${wrong}`).toMatchObject(corrupt)
        expect(String(error.cause)).toContain(path.slice(0, 2).join('.'))
      }
    }
  })

  test('requires the members that every record has', () => {
    const required = [
      'id',
      'revision',
      'protocol',
      'metadata',
      'storage',
      'createdAt',
      'finish',
      'state',
    ]
    for (const name of required) {
      const { [name as 'id']: _, ...rest } = full
      expect(errorOf(() => parseUpload(JSON.stringify(rest)))).toMatchObject(corrupt)
    }
  })

  test.each([
    ['id', '../a'],
    ['protocol', 'http'],
    ['createdAt', 'yesterday'],
    ['finish', 'never'],
    ['state', { kind: 'lost' }],
    ['state', { kind: 'toString' }],
    ['concat', { kind: 'half' }],
    ['length', 2 ** 53],
    ['format', 0],
    ['format', '1'],
    ['format', null],
  ])('refuses a record whose %s is %j', (name, value) => {
    expect(() => parseUpload(changed(full, [name], value))).toThrow(
      expect.objectContaining(corrupt),
    )
  })

  test.each(['', '{', 'null', '1', '"a"', '[]', '{}'])('refuses %j', (text) => {
    expect(() => parseUpload(text)).toThrow(expect.objectContaining(corrupt))
  })

  test('refuses a record of a newer format, and says so', () => {
    const error = errorOf(() => parseUpload(JSON.stringify({ format: 2, id: ['another'] })))
    expect(error).toMatchObject({ code: 'ERR_INFO_FORMAT' })
    expect(String(error.cause)).toBe(
      'Error: The record has format 2; this version of tuskit reads 1',
    )
  })

  test('reads records from before there was a format, and keeps unknown members', () => {
    const text = JSON.stringify({ ...full, added: [1] })
    const found = parseUpload(text)
    expect(found).toEqual({ ...full, added: [1] })
    expect(parseUpload(serializeUpload(found))).toEqual({ ...full, added: [1] })
  })

  test('reads the status 0 of earlier versions as no status', () => {
    const text = changed(finished, ['state', 'response', 'status'], 0)
    const { status: _, ...withoutStatus } = response
    const state = { ...finished.state, response: withoutStatus }
    expect(parseUpload(text)).toEqual({ ...finished, state })
    expect(parseUpload(serializeUpload(parseUpload(text)))).toEqual({ ...finished, state })
  })
})

test('serializeUpload refuses records that it could not read again', () => {
  const wrong = { ...full, storage: { kind: 'file', at: { part: 5 } } } as unknown as Upload
  expect(() => serializeUpload(wrong)).toThrow(
    new TypeError('The member storage.at.part of the record is wrong'),
  )
})

function errorOf(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    return error as Error
  }
  throw new Error('It succeeded')
}
