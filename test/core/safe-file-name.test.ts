import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { safeFileName } from 'tuskit'
import { FileStore } from 'tuskit/file-store'
import { describe, expect, test } from 'vitest'
import { temporaryDirectory } from '../support/serve.js'

test.each([
  ['holiday.mp4', 'holiday.mp4'],
  ['Bericht 2026 (final).pdf', 'Bericht 2026 (final).pdf'],
  ['архив.tar.gz', 'архив.tar.gz'],
  ['a\u0308.txt', 'ä.txt'],
  ['e\0\u0301.txt', 'é.txt'],
  ['👩‍👩‍👧.png', '👩‍👩‍👧.png'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\photos\\cat.jpg', 'cat.jpg'],
  ['C:\\fakepath\\', 'fakepath'],
  ['/a/b/', 'b'],
  ['.htaccess', 'htaccess'],
  ['...a', 'a'],
  ['. .a', 'a'],
  ['a. . ', 'a'],
  ['a\r\nb\0c\u202egpj.exe', 'abcgpj.exe'],
  ['<a>:"b"|?*.txt', '_a___b____.txt'],
  ['CON', '_CON'],
  ['nul.txt', '_nul.txt'],
  ['com1 .tar.gz', '_com1 .tar.gz'],
  ['LPT³', '_LPT³'],
  ['conin$', '_conin$'],
  ['console.log', 'console.log'],
  ['com10', 'com10'],
  ['a:stream', 'a_stream'],
  ['\ud800.txt', 'txt'],
])('%j becomes %j', (name, expected) => {
  expect(safeFileName(name)).toBe(expected)
})

test.each([undefined, '', '.', '..', '/', '///', ' ', '\0', '\\', '. . .', '\u202e'])(
  '%j becomes file',
  (name) => {
    expect(safeFileName(name)).toBe('file')
  },
)

describe('a name that is too long', () => {
  test.each(['a', 'é', '日', '😀'])(
    'of %s is cut to 240 bytes, and keeps its extension',
    (letter) => {
      const name = safeFileName(`${letter.repeat(100_000)}.jpeg`)
      expect(name).toMatch(new RegExp(`^(?:${letter})+\\.jpeg$`, 'u'))
      const size = Buffer.byteLength(name)
      expect(size).toBeLessThanOrEqual(240)
      expect(size).toBeGreaterThan(240 - Buffer.byteLength(letter))
    },
  )

  test('does not become a name that Windows reserves', () => {
    expect(safeFileName(`con${' '.repeat(240)}a`)).toBe('_con')
    expect(safeFileName(`nul.${'a'.repeat(300)}`)).toBe(`_nul.${'a'.repeat(235)}`)
  })

  test('may become even shorter', () => {
    expect(safeFileName(`${'a'.repeat(100)}.txt`, { maxLength: 64 })).toBe(`${'a'.repeat(60)}.txt`)
  })

  test('is cut even without an extension', () => {
    expect(safeFileName(`a.${'b'.repeat(300)}`)).toBe(`a.${'b'.repeat(238)}`)
  })
})

test.each([0, 63, 256, 1.5, '100', null])('maxLength %j is refused', (maxLength) => {
  const name = () => safeFileName('a', { maxLength: maxLength as number })
  expect(name).toThrow(
    "safeFileName: option 'maxLength' must be a whole number of bytes from 64 to",
  )
})

test.each([5, null, {}])('the name %j is refused', (name) => {
  expect(() => safeFileName(name as unknown as string)).toThrow(
    /^safeFileName: argument 'name' must be a string or undefined, not .+/,
  )
})

const unit = fc.constantFrom('binary', 'grapheme', 'binary-ascii') as fc.Arbitrary<'binary'>
const names = fc.oneof(
  unit.chain((unit) => fc.string({ unit, maxLength: 400 })),
  fc
    .array(fc.constantFrom('.', '..', '/', '\\', ' ', 'CON', 'nul', '\0', ':', 'a', '\u0301', '😀'))
    .map((parts) => parts.join('')),
)

test('every name becomes safe, and a safe name stays the same', () => {
  fc.assert(
    fc.property(names, fc.integer({ min: 64, max: 255 }), (given, maxLength) => {
      const name = safeFileName(given, { maxLength })
      expect(name).toMatch(/^[^/\\\p{Cc}<>:"|?*]+$/u)
      expect(name).not.toMatch(/^[.\s]|[.\s]$/)
      expect(name).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)(?: *\.|$)/i)
      expect(Buffer.byteLength(name)).toBeLessThanOrEqual(maxLength)
      expect(name.normalize('NFC')).toBe(name)
      expect(safeFileName(name, { maxLength })).toBe(name)
    }),
  )
})

test('a file store and the file system accept it', async () => {
  const directory = await temporaryDirectory()
  const store = new FileStore({ directory })
  for (const given of fc.sample(names, 50)) {
    const path = safeFileName(given)
    expect(store.locate({ id: 'a', place: { path } } as never).at).toEqual({ path })
    await writeFile(join(directory, path), 'x')
  }
})
