import { describe, expect, test } from 'vitest'
import { parseFilename } from '../../../src/protocols/ietf/fields/parse-disposition.js'
import { contentHeaders } from '../../../src/protocols/download/content-disposition.js'

/** Returns a text as Node reads it when a client sends UTF-8. */
function asReceived(text: string): string {
  return Buffer.from(text).toString('latin1')
}

describe('RFC 6266 the name', () => {
  test.each([
    ['attachment; filename=example.html', 'example.html'],
    ['INLINE; FileName="an example.html"', 'an example.html'],
    ['form-data; name="file"; filename="a.txt"', 'a.txt'],
    ['x-what-ever;filename=a', 'a'],
    ['attachment ;\tfilename\t=\t"a" ; x=y', 'a'],
    [' attachment; filename=a ', 'a'],
    ['attachment; ; filename=a;', 'a'],
    ['attachment; filename="a;b,c=d.txt"', 'a;b,c=d.txt'],
    ['attachment; x="filename=b"; filename="a"', 'a'],
    ['attachment; x="; filename=b"; filename="a"', 'a'],
    ['attachment; filename="say \\"hi\\".txt"', 'say "hi".txt'],
    ['attachment; filename="\\a\\b"', 'ab'],
    ['attachment; filename="100%25.txt"', '100%25.txt'],
    ['attachment; filename=a(1)[2].txt', 'a(1)[2].txt'],
    ["attachment; filename=it's", "it's"],
    [`attachment; filename="UTF-8''a"`, "UTF-8''a"],
  ])('of %j is %j', (value, expected) => {
    expect(parseFilename(value)).toBe(expected)
  })

  test.each([
    ...[undefined, '', 'attachment', 'attachment;', 'attachment; x=y', 'attachment; filename'],
    ...['attachment; filename=', 'attachment; filename=""', 'filename=a', '; filename=a', '"a"'],
    ...['attachment filename=a', 'attachment; filename=a b', 'attachment; filename="a', '=;'],
    ...['attachment; filename="a"b', 'attachment; filename="a\\"', 'attachment; filename=a"b"'],
    ...['attachment; filename="a" x', 'attachment; file name=a', 'attachment, filename=a'],
    ...['attachment; xfilename=a', 'attachment; filename-=a', 'attachment; filename**=a'],
    ...["attachment; filename*0*=UTF-8''a", 'attachment; é=b; filename=a'],
  ])('of %j is absent', (value) => {
    expect(parseFilename(value)).toBeUndefined()
  })

  test('is absent when it is repeated, since it is unclear which one counts', () => {
    expect(parseFilename('attachment; filename=a; filename=b')).toBeUndefined()
    expect(parseFilename('attachment; filename=a; FILENAME=a; filename=a')).toBeUndefined()
    expect(parseFilename(`attachment; filename=a; filename=b; filename*=UTF-8''c`)).toBe('c')
    expect(parseFilename(`attachment; filename*=UTF-8''b; filename*=UTF-8''c; filename=a`)).toBe(
      'a',
    )
    // Two lines, which Node joins.
    expect(parseFilename('attachment; filename="a", attachment; filename="b"')).toBeUndefined()
    expect(parseFilename('attachment; filename=a, attachment')).toBeUndefined()
  })
})

describe('RFC 8187 the name', () => {
  test.each([
    [`attachment; filename*=UTF-8''na%C3%AFve%20caf%c3%a9.txt`, 'naïve café.txt'],
    [`attachment; filename*=utf-8'en-GB'%e2%82%ac%20rates`, '€ rates'],
    [`attachment; filename*=iso-8859-1'en'%A3%20rates`, '£ rates'],
    [`attachment; FILENAME*=UTF-8''a`, 'a'],
    [`attachment; filename*="UTF-8''%61"`, 'a'],
    // Characters that encodeURIComponent does not encode.
    [`attachment; filename*=UTF-8''it's%20me%20(1)*!~.txt`, "it's me (1)*!~.txt"],
  ])('of %j is %j', (value, expected) => {
    expect(parseFilename(value)).toBe(expected)
  })

  test('takes precedence over the simple one, in any order', () => {
    expect(parseFilename(`attachment; filename="e.txt"; filename*=UTF-8''%c3%a9.txt`)).toBe('é.txt')
    expect(parseFilename(`attachment; filename*=UTF-8''%c3%a9.txt; filename="e.txt"`)).toBe('é.txt')
  })

  test.each([
    ...["UTF-8''%c3", "UTF-8''%c3%28", "UTF-8''%ed%a0%80", "UTF-8''%c0%af", "UTF-8''%ff"],
    ...["UTF-8''%", "UTF-8''%4", "UTF-8''%gg", "UTF-8''100%", "UTF-8''a%2"],
    ...["UTF-8''", "UTF-8'a", 'UTF-8', 'a', "''a", "'", "utf8''a", "UTF-16''a", "x-unknown''a"],
    ...[`"UTF-8'e n'a"`, "UTF-8'_'a", `"UTF-8''a b"`, "UTF-8''é", `""`],
    // Empty names.
    ...["UTF-8''..", "UTF-8''%2f", "UTF-8''%20", "UTF-8''%00", "UTF-8''a%2f.."],
  ])('of %j is that of the simple one', (value) => {
    expect(parseFilename(`attachment; filename*=${value}; filename="a.txt"`)).toBe('a.txt')
    expect(parseFilename(`attachment; filename*=${value}`)).toBeUndefined()
  })
})

describe('raw bytes in the name', () => {
  test.each(['résumé à la carte.pdf', '日本.txt', '😀.png', 'ÿ', 'Å'])(
    '%j are read as UTF-8',
    (name) => {
      expect(parseFilename(asReceived(`attachment; filename="${name}"`))).toBe(name)
      if (!name.includes(' ')) {
        expect(parseFilename(asReceived(`attachment; filename=${name}`))).toBe(name)
      }
    },
  )

  test('are read as Latin-1 when they are not UTF-8', () => {
    expect(parseFilename('attachment; filename="r\xe9sum\xe9.pdf"')).toBe('résumé.pdf')
    expect(parseFilename('attachment; filename="\xc3"')).toBe('Ã')
    expect(parseFilename('attachment; filename=\xe9')).toBe('é')
  })

  test('are unchanged when they have been decoded already', () => {
    expect(parseFilename('attachment; filename="日本.txt"')).toBe('日本.txt')
    expect(parseFilename('attachment; filename="Ā"')).toBe('Ā')
  })
})

describe('the name is harmless', () => {
  test.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\\\fakepath\\\\a.png', 'a.png'],
    ['a/b\\\\c', 'c'],
    ['dir/', 'dir'],
    ['.htaccess', '.htaccess'],
    ['  a  ', 'a'],
    ['a\0\t\x1f\x7fb', 'ab'],
    ['a\r\nb', 'ab'],
    ...['.', '..', '...', '/', '\\\\', 'a/..', ' ', '\0'].map((name) => [name, undefined] as const),
  ] as const)('%j is %j', (name, expected) => {
    expect(parseFilename(`attachment; filename="${name}"`)).toBe(expected)
    const encoded = encodeURIComponent(name.replaceAll('\\\\', '\\'))
    expect(parseFilename(`attachment; filename*=UTF-8''${encoded}`)).toBe(expected)
  })

  test('without characters that reverse text', () => {
    expect(parseFilename(`attachment; filename*=UTF-8''a%E2%80%AEgnp.exe`)).toBe('agnp.exe')
    expect(parseFilename(asReceived('attachment; filename="a\u202egnp.exe"'))).toBe('agnp.exe')
  })

  test('of at most 255 characters', () => {
    expect(parseFilename(`attachment; filename="${'a'.repeat(256)}"`)).toBe('a'.repeat(255))
    expect(parseFilename(`attachment; filename*=UTF-8''${'%F0%9F%98%80'.repeat(300)}`)).toBe(
      '😀'.repeat(255),
    )
  })

  test('and absent when it is long and hostile', () => {
    for (const piece of [' ', ';', ' ;', ';a', ';a=', ';a="', '\\"', '\\', 'a', '%', "'", '=']) {
      for (const start of ['', 'a;', 'a;b', 'a; filename="', "a; filename*=UTF-8''"]) {
        expect(parseFilename(`${start}${piece.repeat(100_000)}\x7f`)).toBeUndefined()
      }
    }
  })
})

test('the name of a download is read back unchanged', () => {
  for (const name of ['a.txt', 'é (1).txt', '日本 "x".txt', '100%.txt', "it's", 'a;b', '😀']) {
    const values = Object.assign(Object.create(null), { filename: name })
    const headers = contentHeaders({ raw: '', values })
    expect(parseFilename(headers['content-disposition'])).toBe(name)
  }
})
