import * as v from 'valibot'
import { NotAdoptable } from './old-upload.js'

export const size = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** Metadata, whose keys may be any text, such as `constructor`. */
export const metadata = v.custom<Readonly<Record<string, string | null>>>(
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every((one) => typeof one === 'string' || one === null),
  'must be an object of texts',
)

/** The longest record that is read. Metadata is limited by the headers of requests. */
export const longestRecord = 1_000_000

/** Returns the content of a record. */
export function parseRecord(text: string): unknown {
  if (text === '') throw new NotAdoptable('its record is empty')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new NotAdoptable('its record is not JSON', { cause: error })
  }
}

/** Returns the content of a record in the form of the schema. Throws when it has another one. */
export function parseContent<Schema extends v.GenericSchema>(
  schema: Schema,
  content: unknown,
): v.InferOutput<Schema> {
  const { success, output, issues } = v.safeParse(schema, content)
  if (success) return output
  const [issue] = issues
  const path = v.getDotPath(issue)
  throw new NotAdoptable(`its record is wrong: ${path === null ? '' : `${path}: `}${issue.message}`)
}

/** Returns metadata in which a key without a value has an empty one. */
export function withoutNull(
  values: Readonly<Record<string, string | null>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value ?? '']))
}

/** Refuses a record that names another upload than its file. */
export function checkId(recorded: string, id: string): void {
  if (recorded === id) return
  throw new NotAdoptable(
    id.endsWith(`/${recorded}`)
      ? 'its record is in another folder: name that with --records'
      : `its record is that of another upload, ${recorded}`,
  )
}

/** Refuses a record in a bucket that names another object than its key. */
export function checkObjectId(recorded: string, name: string): void {
  if (recorded === name) return
  throw new NotAdoptable(
    name.endsWith(`/${recorded}`)
      ? 'its record is in another folder: name that in the URL'
      : `its record is that of another upload, ${recorded}`,
  )
}

/** Refuses an upload whose data is in another kind of storage. */
export function checkKind(kind: string, expected: string, entry: 'file' | 'bucket' = 'file'): void {
  if (kind !== expected) throw new NotAdoptable(`its data is not in a ${entry}, but in ${kind}`)
}
