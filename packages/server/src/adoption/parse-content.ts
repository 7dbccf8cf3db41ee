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

/** Refuses an upload whose data is not in a file. */
export function checkKind(kind: string, expected: string): void {
  if (kind !== expected) throw new NotAdoptable(`its data is not in a file, but in ${kind}`)
}
