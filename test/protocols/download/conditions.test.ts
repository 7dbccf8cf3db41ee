import type { IncomingHttpHeaders } from 'node:http'
import { expect, test } from 'vitest'
import {
  evaluateConditions,
  type ConditionResult,
} from '../../../src/protocols/download/conditions.js'

const etag = '"abc"'
const lastModified = new Date('2026-01-02T03:04:05.678Z')
const before = 'Fri, 02 Jan 2026 03:04:04 GMT'
const same = 'Fri, 02 Jan 2026 03:04:05 GMT'
const after = 'Fri, 02 Jan 2026 03:04:06 GMT'

const one: [headers: IncomingHttpHeaders, expected: ConditionResult][] = [
  [{}, 'proceed'],
  [{ 'if-match': '*' }, 'proceed'],
  [{ 'if-match': '"abc"' }, 'proceed'],
  [{ 'if-match': '"x", "abc"' }, 'proceed'],
  [{ 'if-match': '"x,","abc"' }, 'proceed'],
  [{ 'if-match': '' }, 'proceed'],
  [{ 'if-match': '"x"' }, 'precondition-failed'],
  [{ 'if-match': 'W/"abc"' }, 'precondition-failed'],
  [{ 'if-match': 'abc' }, 'precondition-failed'],
  [{ 'if-match': '"ABC"' }, 'precondition-failed'],
  [{ 'if-match': '"x"abc"' }, 'precondition-failed'],
  [{ 'if-match': '"*"' }, 'precondition-failed'],
  [{ 'if-unmodified-since': after }, 'proceed'],
  [{ 'if-unmodified-since': same }, 'proceed'],
  [{ 'if-unmodified-since': before }, 'precondition-failed'],
  [{ 'if-unmodified-since': 'never' }, 'proceed'],
  [{ 'if-none-match': '*' }, 'not-modified'],
  [{ 'if-none-match': '"abc"' }, 'not-modified'],
  [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
  [{ 'if-none-match': '"x",W/"abc"' }, 'not-modified'],
  [{ 'if-none-match': '"x"' }, 'proceed'],
  [{ 'if-none-match': 'abc' }, 'proceed'],
  [{ 'if-none-match': '' }, 'proceed'],
  [{ 'if-modified-since': after }, 'not-modified'],
  [{ 'if-modified-since': same }, 'not-modified'],
  [{ 'if-modified-since': before }, 'proceed'],
  [{ 'if-modified-since': '2030' }, 'proceed'],
  [{ 'if-range': '"abc"' }, 'proceed'],
  [{ 'if-range': same }, 'proceed'],
  [{ 'if-range': '"x"' }, 'ignore-range'],
  [{ 'if-range': 'W/"abc"' }, 'ignore-range'],
  [{ 'if-range': 'abc' }, 'ignore-range'],
  [{ 'if-range': '*' }, 'ignore-range'],
  [{ 'if-range': '"abc", "x"' }, 'ignore-range'],
  [{ 'if-range': before }, 'ignore-range'],
  [{ 'if-range': after }, 'ignore-range'],
  [{ 'if-range': '2026-01-02T03:04:05Z' }, 'ignore-range'],
]

test.each(one)('T-182 %j: %s', (headers, expected) => {
  expect(evaluateConditions(headers, { etag, lastModified })).toBe(expected)
})

const several: [title: string, headers: IncomingHttpHeaders, expected: ConditionResult][] = [
  [
    'If-Match replaces If-Unmodified-Since',
    { 'if-match': '"abc"', 'if-unmodified-since': before },
    'proceed',
  ],
  [
    'If-Match comes before If-None-Match',
    { 'if-match': '"x"', 'if-none-match': '"abc"' },
    'precondition-failed',
  ],
  [
    'If-None-Match comes after If-Match',
    { 'if-match': '"abc"', 'if-none-match': '"abc"' },
    'not-modified',
  ],
  [
    'If-Unmodified-Since comes before If-Modified-Since',
    { 'if-unmodified-since': before, 'if-modified-since': same },
    'precondition-failed',
  ],
  [
    'If-None-Match replaces If-Modified-Since',
    { 'if-none-match': '"x"', 'if-modified-since': after },
    'proceed',
  ],
  [
    'If-None-Match comes before If-Range',
    { 'if-none-match': '"abc"', 'if-range': '"x"' },
    'not-modified',
  ],
  [
    'If-Range comes last',
    { 'if-match': '"abc"', 'if-none-match': '"x"', 'if-range': '"x"' },
    'ignore-range',
  ],
]

test.each(several)('T-182 %s', (_, headers, expected) => {
  expect(evaluateConditions(headers, { etag, lastModified })).toBe(expected)
})

test('T-182 a weak tag of tuskit matches If-None-Match only', () => {
  const validators = { etag: 'W/"abc"', lastModified }
  expect(evaluateConditions({ 'if-none-match': '"abc"' }, validators)).toBe('not-modified')
  expect(evaluateConditions({ 'if-match': 'W/"abc"' }, validators)).toBe('precondition-failed')
  expect(evaluateConditions({ 'if-range': 'W/"abc"' }, validators)).toBe('ignore-range')
})
