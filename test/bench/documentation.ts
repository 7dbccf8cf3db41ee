import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const page = fileURLToPath(new URL('../../docs/performance.md', import.meta.url))
const [begin, end] = ['<!-- bench:begin -->', '<!-- bench:end -->']

async function readPage(): Promise<string> {
  return readFile(page, 'utf8').catch(() => '')
}

/** Fails unless the page has a place for the figures, before they are measured. */
export async function checkPage(): Promise<void> {
  between(await readPage(), '')
}

/** Writes text into the page. */
export async function updatePage(text: string): Promise<void> {
  await writeFile(page, between(await readPage(), text))
}

/** Replaces the text between the marks. */
export function between(text: string, replacement: string): string {
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) {
    throw new Error(`docs/performance.md must have ${begin} and, after it, ${end}`)
  }
  return `${text.slice(0, from + begin.length)}\n\n${replacement}\n\n${text.slice(to)}`
}
