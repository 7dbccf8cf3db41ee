import type { ListedUpload } from 'tuskit'
import { reasonOf } from '../../explain.js'
import { printable } from '../terminal/printable.js'
import { ageText, sizeText } from '../terminal/quantities.js'
import { nameOf } from './name-of.js'

/** The headings of the columns that {@link rowOf} fills. */
export const rowHeadings = ['ID', 'STATE', 'STORED', 'AGE', 'NAME'] as const

/** Returns the cells that describe an upload. */
export function rowOf(listed: ListedUpload): readonly string[] {
  const { id, state } = listed
  if (listed.state === 'unreadable') {
    return [printable(id), state, '-', '-', `(${printable(reasonOf(listed.error))})`]
  }
  const { upload, offset } = listed
  const age = ageText(Date.now() - Date.parse(upload.createdAt))
  const name = nameOf(upload) ?? '-'
  return [id, state, storedText(offset, upload.length), age, printable(name)]
}

/** Returns how much is stored and how much there will be, such as `1.5 MB / 2.0 GB`. */
export function storedText(offset: number | undefined, length: number | undefined): string {
  if (offset === undefined) return '-'
  if (offset === length) return sizeText(offset)
  return `${sizeText(offset)} / ${length === undefined ? '?' : sizeText(length)}`
}
