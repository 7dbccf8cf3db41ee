import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  blank,
  longCommentLines,
  passagesOfCode,
  passagesOfPage,
  type Passage,
} from './passages.js'
import { codeFiles, packageFolders, read, root } from './source-files.js'

const folders = ['src', 'test', 'examples', 'packages'].filter((name) =>
  existsSync(join(root, name)),
)
const code = codeFiles(...folders)
const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'), { recursive: true })
    .filter((name) => String(name).endsWith('.md'))
    .map((name) => `docs/${name}`),
  ...packageFolders().map((folder) => `${folder}/README.md`),
  'examples/proxies/README.md',
]

/** The section of CONTRIBUTING.md that lists the words, with its first table. */
const [section = '', table = ''] =
  /^## Words\n[^]*?((?:^\|.*\n)+)[^]*?(?=^## )/m.exec(read('CONTRIBUTING.md')) ?? []

/** The words of the first column. `What …` is a sentence that begins with the word. */
const phrases = [...table.matchAll(/^\| ([^|]+) \| [^|]+ \|$/gm)]
  .slice(1)
  .flatMap(([, phrase]) => phrase!.split(', '))

const words = phrases.filter((phrase) => !phrase.endsWith(' …'))
const wordPattern = new RegExp(`\\b(?:${words.join('|')})\\b`, 'i')
const beginnings = phrases
  .filter((phrase) => phrase.endsWith(' …'))
  .map((phrase) => phrase.slice(0, -2))
const clausePattern = new RegExp(`(?:^|[.!] )(?:${beginnings.join('|')}) [^.?!]*(?:[.!]|$)`)

test('comments, strings and pages use the words of CONTRIBUTING.md', () => {
  const found = [
    ...code.filter(mayComplain).flatMap((file) => complaints(file, passagesOfCode(read(file)))),
    ...pages.flatMap((file) => complaints(file, passagesOfPage(withoutList(file)))),
  ]
  expect(found).toEqual([])
})

test('lines of comments have at most 100 columns', () => {
  const found = code
    .filter((file) => /^.{101}/m.test(read(file)))
    .flatMap((file) => longCommentLines(read(file), 100).map((line) => `${file}:${line}`))
  expect(found).toEqual([])
})

test('each row of the table is looked for', () => {
  expect(phrases.length).toBeGreaterThan(25)
  for (const word of words) expect(complaint({ ...comment, text: `It ${word} it.` })).toBe(word)
  for (const word of beginnings) {
    expect(complaint({ ...comment, text: `${word} it is.` })).toBe(`${word} it is.`)
    expect(complaint({ ...comment, text: `${word} is it?` })).toBeUndefined()
  }
})

test('words are found in comments and strings, and nowhere else', () => {
  const found = passagesOfCode(
    [
      "import { a } from './first.js' // second word",
      '/** Third',
      ' *  word, and `some code`. See other-words.md. */',
      'const b = /fourth word/.test(`fifth word ${a /* sixth word */} seventh word`)',
      '// eighth',
      '// word',
      "b('event')",
    ].join('\n'),
  )
  expect(found.map(({ line, text }) => `${line}: ${text}`).toSorted()).toEqual([
    '1: second word',
    '2: Third word, and `…`. See ….',
    '4:  seventh word',
    '4: fifth word ',
    '4: sixth word',
    '5: eighth word',
  ])
})

const comment: Passage = { text: '', line: 1, kind: 'comment' }

/** Whether it is worth the time to parse a file. */
function mayComplain(file: string): boolean {
  const text = read(file).replace(/\s*\n\s*(?:\/\/|\*)? ?/g, ' ')
  return wordPattern.test(text) || new RegExp(`\\b(?:${beginnings.join('|')}) `).test(text)
}

function complaints(file: string, passages: readonly Passage[]): readonly string[] {
  return passages.flatMap((passage) => {
    const found = complaint(passage)
    return found === undefined ? [] : [`${file}:${passage.line}: ${found}`]
  })
}

/** Returns what a passage should say otherwise, if anything. */
function complaint({ text, kind }: Passage): string | undefined {
  const [word] = wordPattern.exec(text) ?? []
  if (word !== undefined || kind === 'string' || kind === 'heading') return word
  return clausePattern.exec(text)?.[0].replace(/^[.!] /, '')
}

/** Reads a page without the list itself. */
function withoutList(file: string): string {
  return read(file).replace(section, blank)
}
