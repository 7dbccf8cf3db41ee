import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))

/** A part of the page, which has these names in its marks. */
export type Section = 'bench' | 'bench-s3' | 'bench-databases'

async function readPage(): Promise<string> {
  return readFile(page, 'utf8').catch(() => '')
}

/** Fails unless the page has a place for the figures, before they are measured. */
export async function checkPage(section: Section): Promise<void> {
  between(await readPage(), '', section)
}

/** Writes text into the page. */
export async function updatePage(text: string, section: Section): Promise<void> {
  await writeFile(page, between(await readPage(), text, section))
}

/** Replaces the text between the marks. */
export function between(text: string, replacement: string, section: Section): string {
  const [begin, end] = [`<!-- ${section}:begin -->`, `<!-- ${section}:end -->`]
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) {
    throw new Error(`docs/performance.md must have ${begin} and, after it, ${end}`)
  }
  return `${text.slice(0, from + begin.length)}\n\n${replacement}\n\n${text.slice(to)}`
}
