import { validateHeaderValue } from 'node:http'
import { describe, expect, test } from 'vitest'
import { contentHeaders } from '../../../src/protocols/download/content-disposition.js'

function headersOf(values: Record<string, string>) {
  return contentHeaders({ raw: '', values: Object.assign(Object.create(null), values) })
}

function typeOf(values: Record<string, string>): string {
  return headersOf(values)['content-type']
}

function dispositionOf(values: Record<string, string>): string {
  return headersOf(values)['content-disposition']
}

test('T-182 an upload without metadata is an attachment of bytes', () => {
  expect(headersOf({})).toEqual({
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment',
  })
})

describe('T-182 the type', () => {
  test.each([
    'image/png',
    'IMAGE/PNG',
    'text/html',
    'text/plain; charset=utf-8',
    'text/plain;charset="utf-8"',
    'text/plain ; a=b;c="d\\"e;"',
    'application/vnd.ms-excel.sheet.macroEnabled.12',
    'image/svg+xml',
  ])('is kept: %s', (filetype) => {
    expect(typeOf({ filetype })).toBe(filetype)
  })

  test.each([
    ...['', 'image', 'image/', '/png', 'image/png/x', 'image /png', ' image/png', 'image/*', '*/*'],
    ...[
      'text/html\r\nset-cookie: a=b',
      'text/html\n',
      'text/html;',
      'text/html; charset',
      'a/b,c/d',
    ],
    ...['text/html; a="b', 'text/html; a=b c', 'text/é', 'text/plain; a="é"', 'text/plain; a="\0"'],
    ...[
      'text/html; =b',
      `text/${'a'.repeat(300)}`,
      'text/<script>',
      `text/a; b=${'c'.repeat(300)}`,
    ],
  ])('is ignored: %j', (filetype) => {
    expect(typeOf({ filetype })).toBe('application/octet-stream')
    expect(dispositionOf({ filetype })).toBe('attachment')
  })

  test('is that of filetype, or else of type', () => {
    expect(typeOf({ type: 'image/gif', filetype: 'image/png' })).toBe('image/png')
    expect(typeOf({ type: 'image/gif' })).toBe('image/gif')
    expect(typeOf({ type: 'image/gif', filetype: 'broken' })).toBe('image/gif')
  })

  test('falls back to octet-stream when it is long and hostile', () => {
    for (const piece of [' ', ';', ' ;', ';a=b', ';a="', '\\"', 'a']) {
      const filetype = `text/plain${piece.repeat(100_000)}\n`
      expect(typeOf({ filetype })).toBe('application/octet-stream')
    }
  })
})

describe('T-182 inline', () => {
  test.each([
    ...['text/plain', 'image/png', 'image/jpeg', 'image/gif', 'image/bmp', 'image/webp'],
    ...['audio/wave', 'audio/wav', 'audio/x-wav', 'audio/x-pn-wav', 'audio/webm', 'audio/ogg'],
    ...['video/mp4', 'video/webm', 'video/ogg', 'application/ogg', 'Image/PNG'],
    'text/plain; charset=utf-8',
  ])('%s', (filetype) => {
    expect(dispositionOf({ filetype })).toBe('inline')
  })

  test.each([
    ...['text/html', 'image/svg+xml', 'application/pdf', 'application/xhtml+xml', 'text/xml'],
    ...['text/javascript', 'application/javascript', 'text/css', 'text/html; a=text/plain'],
    ...['image/x-png', 'text/plain+html', 'application/octet-stream', 'multipart/form-data'],
  ])('never %s', (filetype) => {
    expect(dispositionOf({ filetype })).toBe('attachment')
  })
})

describe('T-182 the name', () => {
  test.each([
    ['report.pdf', '; filename="report.pdf"'],
    ['my file; v=2, final.txt', '; filename="my file; v=2, final.txt"'],
    ['résumé.pdf', `; filename="r_sum_.pdf"; filename*=UTF-8''r%C3%A9sum%C3%A9.pdf`],
    ['日本.txt', `; filename="__.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt`],
    ['😀.png', `; filename="_.png"; filename*=UTF-8''%F0%9F%98%80.png`],
    ['a"b.txt', `; filename="a_b.txt"; filename*=UTF-8''a%22b.txt`],
    ['100%.txt', `; filename="100_.txt"; filename*=UTF-8''100%25.txt`],
    ["é'()*!.txt", `; filename="_'()*!.txt"; filename*=UTF-8''%C3%A9%27%28%29%2A!.txt`],
    ['../../etc/passwd', '; filename="passwd"'],
    ['C:\\fakepath\\a.png', '; filename="a.png"'],
    ['/', ''],
    ['dir/', '; filename="dir"'],
    ['..', ''],
    ['.', ''],
    ['a/..', ''],
    ['.htaccess', '; filename=".htaccess"'],
    [' a.txt ', '; filename="a.txt"'],
    ['a\r\nset-cookie: b=c', '; filename="aset-cookie: b=c"'],
    ['a\0b\x7f\x85.txt', '; filename="ab.txt"'],
    ['\r\n', ''],
    ['a\u202egnp.exe', '; filename="agnp.exe"'],
    ['.\u202e.', ''],
    ['a\ud800.txt', '; filename="a.txt"'],
    ['', ''],
  ])('%j becomes %j', (filename, expected) => {
    expect(dispositionOf({ filename })).toBe(`attachment${expected}`)
  })

  test('is that of filename, or else of name, or else of fileName', () => {
    const values = { filename: 'a', name: 'b', fileName: 'c' }
    expect(dispositionOf(values)).toBe('attachment; filename="a"')
    expect(dispositionOf({ ...values, filename: '' })).toBe('attachment; filename="b"')
    expect(dispositionOf({ fileName: 'c' })).toBe('attachment; filename="c"')
  })

  test('is also sent with inline', () => {
    expect(dispositionOf({ filename: 'a.png', filetype: 'image/png' })).toBe(
      'inline; filename="a.png"',
    )
  })

  test('fits into response headers, of any length', () => {
    expect(dispositionOf({ filename: '😀'.repeat(10_000) }).length).toBeLessThan(4096)
  })

  test('T-091 is always a valid header value', () => {
    for (let code = 0; code <= 0x3000; code++) {
      const letter = String.fromCodePoint(code)
      const headers = headersOf({ filename: `a${letter}b`, filetype: `text/a; b="${letter}"` })
      for (const [name, value] of Object.entries(headers)) {
        expect(value).toMatch(/^[ -~\t]+$/)
        validateHeaderValue(name, value)
      }
    }
  })
})
