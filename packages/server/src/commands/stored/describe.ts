import type { ListedUpload, Upload } from 'tuskit'
import { codeOf, reasonOf } from '../../explain.js'
import { printable } from '../terminal/printable.js'
import { ageText, countText, sizeText } from '../terminal/quantities.js'
import { storedText } from './row-of.js'

/** Returns lines that describe an upload. */
export function describe(listed: ListedUpload): readonly string[] {
  const { id, state } = listed
  if (listed.state === 'unreadable') {
    const { error } = listed
    return lines({ id, state, reason: reasonOf(error), code: codeOf(error) })
  }
  const { upload, offset } = listed
  return lines({
    id,
    state: `${state}${stateDetails(upload)}`,
    stored: `${storedText(offset, upload.length)}${exactly(offset, upload.length)}`,
    created: timeAndAge(upload.createdAt),
    expires: upload.expiresAt === undefined ? undefined : timeAndAge(upload.expiresAt),
    protocol: upload.protocol === 'tus' ? 'tus' : 'IETF draft',
    'largest size': upload.maxSize === undefined ? undefined : sizeText(upload.maxSize),
    place: `${upload.storage.kind} ${pairs(upload.storage.at)}`,
    'is moved to': upload.moving && `${upload.moving.kind} ${pairs(upload.moving.at)}`,
    concatenation: concatText(upload),
    revision: String(upload.revision),
    ...Object.fromEntries(
      Object.entries(upload.metadata.values).map(([key, value]) => [`metadata ${key}`, value]),
    ),
    ...Object.fromEntries(
      Object.entries(upload.representation?.headers ?? {}).map(([key, value]) => [
        `header ${key}`,
        value,
      ]),
    ),
  })
}

function lines(members: Readonly<Record<string, string | undefined>>): readonly string[] {
  const shown = Object.entries(members)
    .filter((pair): pair is [string, string] => pair[1] !== undefined)
    .map(([name, value]) => [printable(name), printable(value)] as const)
  const width = Math.min(24, Math.max(...shown.map(([name]) => name.length)))
  return shown.map(([name, value]) => `${`${name}:`.padEnd(width + 2)}${value}`)
}

function stateDetails({ state }: Upload): string {
  if (state.kind === 'open') return ''
  if (state.kind === 'gone') return `, ${state.cause} at ${state.at}`
  if (state.kind === 'finished') return ` at ${state.at}`
  const { status, body, code } = state.response
  return ` at ${state.at}: ${[code ?? status, body].filter(Boolean).join(' ')}`
}

function exactly(offset: number | undefined, length: number | undefined): string {
  if (offset === undefined) return ''
  const whole = length === undefined || length === offset ? '' : ` of ${countText(length)}`
  return ` (${countText(offset)}${whole} bytes)`
}

function timeAndAge(time: string): string {
  const distance = Date.now() - Date.parse(time)
  const text = ageText(Math.abs(distance))
  return `${time} (${distance >= 0 ? `${text} ago` : `in ${text}`})`
}

function concatText({ concat }: Upload): string | undefined {
  if (concat === undefined) return undefined
  const ids = concat.kind === 'final' ? concat.partials : concat.finals
  const relation = concat.kind === 'final' ? 'of' : 'for'
  return ids.length === 0 ? concat.kind : `${concat.kind}, ${relation} ${ids.join(', ')}`
}

function pairs(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')
}
