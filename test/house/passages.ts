import ts from 'typescript'

/** A piece of text that people read. */
export interface Passage {
  /** Without code spans, links' targets and names of files. */
  readonly text: string
  /** The number of its first line. */
  readonly line: number
  readonly kind: 'comment' | 'string' | 'heading' | 'paragraph'
}

/** Returns the comments and the string literals of a code file. */
export function passagesOfCode(code: string): readonly Passage[] {
  const source = ts.createSourceFile('file.ts', code, ts.ScriptTarget.Latest, true)
  const lineAt = (position: number): number =>
    source.getLineAndCharacterOfPosition(position).line + 1
  const { strings, rescans } = literalsOf(source)
  const passages: Passage[] = strings.map((node) => {
    return { text: node.text, line: lineAt(node.getStart(source)), kind: 'string' }
  })
  for (const { text, position } of joined(commentsOf(code, rescans), code)) {
    passages.push({ text: readable(text), line: lineAt(position), kind: 'comment' })
  }
  return passages
}

/** Returns the paragraphs, items and rows of a Markdown page, without code and quotations. */
export function passagesOfPage(page: string): readonly Passage[] {
  const prose = page
    .replace(/^ *```[^]*?^ *```$/gm, blank)
    .replace(/`[^`]*`|"[^"\n]*"/g, (quoted) => blank(quoted))
  const passages: { text: string; line: number; kind: 'heading' | 'paragraph' }[] = []
  let within = false
  for (const [index, text] of prose.split('\n').entries()) {
    const kind = text.startsWith('#') ? 'heading' : 'paragraph'
    if (text.trim() === '') within = false
    else if (within && !/^\s*([-*|#]|\d+\.) ?/.test(text)) passages.at(-1)!.text += `\n${text}`
    else {
      passages.push({ text, line: index + 1, kind })
      within = kind === 'paragraph'
    }
  }
  return passages.map((passage) => ({ ...passage, text: readable(passage.text) }))
}

/** Removes everything but the ends of lines. */
export function blank(text: string): string {
  return text.replace(/[^\n]/g, '')
}

/** Returns the numbers of lines of more than `columns` that hold a comment. */
export function longCommentLines(code: string, columns: number): readonly number[] {
  const source = ts.createSourceFile('file.ts', code, ts.ScriptTarget.Latest, true)
  const lines = code.split('\n')
  const long = commentsOf(code, literalsOf(source).rescans).flatMap(({ text, position }) => {
    const first = source.getLineAndCharacterOfPosition(position).line
    return text.split('\n').map((_, index) => first + index)
  })
  return [...new Set(long)]
    .filter((index) => lines[index]!.length > columns && !/https?:\S{40}/.test(lines[index]!))
    .map((index) => index + 1)
}

type Literal = ts.StringLiteralLike | ts.TemplateLiteralLikeNode

interface Comment {
  readonly text: string
  readonly position: number
}

/** The string literals in which there may be prose, and where a scanner needs help. */
function literalsOf(source: ts.SourceFile): {
  readonly strings: readonly Literal[]
  readonly rescans: ReadonlyMap<number, 'regex' | 'template'>
} {
  const strings: Literal[] = []
  const rescans = new Map<number, 'regex' | 'template'>()
  const visit = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) rescans.set(node.getStart(source), 'regex')
    if (ts.isTemplateMiddleOrTemplateTail(node)) rescans.set(node.getStart(source), 'template')
    // A single word is data, such as the name of an event.
    if (isLiteral(node) && /\S\s+\S/.test(node.text)) strings.push(node)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return { strings, rescans }
}

function isLiteral(node: ts.Node): node is Literal {
  return ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || isRestOfTemplate(node)
}

function isRestOfTemplate(node: ts.Node): node is ts.TemplateMiddle | ts.TemplateTail {
  return ts.isTemplateMiddleOrTemplateTail(node)
}

function commentsOf(
  code: string,
  rescans: ReadonlyMap<number, 'regex' | 'template'>,
): readonly Comment[] {
  const scanner = ts.createScanner(ts.ScriptTarget.Latest, false, undefined, code)
  const comments: Comment[] = []
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const position = scanner.getTokenStart()
    const rescan = rescans.get(position)
    if (rescan === 'regex') scanner.reScanSlashToken()
    if (rescan === 'template') scanner.reScanTemplateToken(false)
    if (
      kind === ts.SyntaxKind.SingleLineCommentTrivia ||
      kind === ts.SyntaxKind.MultiLineCommentTrivia
    ) {
      comments.push({ text: scanner.getTokenText(), position })
    }
  }
  return comments
}

/** Joins `//` comments on consecutive lines: a phrase may begin on one and end on the next. */
function joined(comments: readonly Comment[], code: string): readonly Comment[] {
  const result: Comment[] = []
  let end = -1
  for (const { text, position } of comments) {
    const before = code.slice(end, position)
    const last = result.at(-1)
    if (last && end >= 0 && text.startsWith('//') && /^\n[ \t]*$/.test(before)) {
      result[result.length - 1] = { text: `${last.text}\n${text}`, position: last.position }
    } else {
      result.push({ text, position })
    }
    end = position + text.length
  }
  return result
}

function readable(text: string): string {
  return text
    .replace(/^\s*(\/\*\*?|\/\/|\*\/?)|\*\/$/gm, '')
    .replace(/`[^`]*`|\{@link [^}]*\}|\]\([^)]*\)/g, '`…`')
    .replace(/\S+\.([cm]?[jt]s|md)\b/g, '…')
    .replace(/\s+/g, ' ')
    .trim()
}
