import { expect, test } from 'vitest'
import { ResponseParser } from './response-parser.js'

const responses = {
  'with a length':
    'HTTP/1.1 200 OK\r\nLocation: /files/1\r\nCONTENT-LENGTH: 11\r\n\r\nhello\r\n\r\nyo',
  'in chunks':
    'HTTP/1.1 200 OK\r\nlocation:/files/1 \r\nTransfer-Encoding: chunked\r\n\r\n' +
    '5\r\nhello\r\n6;x=y\r\n\r\n\r\nyo\r\n0\r\n\r\n',
  'after an interim one':
    'HTTP/1.1 104 Upload\r\nLocation: /files/0\r\n\r\n' +
    'HTTP/1.1 200 OK\r\nLocation: /files/1\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nyo',
}

test.each(Object.entries(responses))('a response %s is read however it is cut', (_, text) => {
  for (let size = 1; size <= text.length; size++) {
    let body = ''
    const parser = new ResponseParser(false, (piece) => (body += piece.toString()))
    for (let at = 0; at + size < text.length; at += size) {
      expect(parser.push(Buffer.from(text.slice(at, at + size)))).toBeUndefined()
    }
    const rest = text.slice(Math.floor((text.length - 1) / size) * size)
    const response = parser.push(Buffer.from(rest))
    expect([response?.status, response?.bodyBytes, body]).toEqual([200, 11, 'hello\r\n\r\nyo'])
    expect(response?.header('location')).toBe('/files/1')
    expect(response?.header('upload-offset')).toBeUndefined()
  }
})

test.each([
  ['to HEAD', true, 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'],
  ['204', false, 'HTTP/1.1 204 No Content\r\n\r\n'],
])('a response %s has no body', (_, bodiless, text) => {
  expect(new ResponseParser(bodiless).push(Buffer.from(text))).toMatchObject({ bodyBytes: 0 })
})
