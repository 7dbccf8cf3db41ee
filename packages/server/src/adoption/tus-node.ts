import { join } from 'node:path'
import * as v from 'valibot'
import type { OldServer } from './old-upload.js'
import { checkId, checkKind, metadata, parseContent, size, withoutNull } from './parse-content.js'

const record = v.object({
  id: v.string(),
  size: v.nullish(size),
  // Always 0, also of finished uploads. It distinguishes a record from a file that was uploaded.
  offset: size,
  metadata: v.nullish(metadata, {}),
  creation_date: v.optional(
    v.pipe(
      v.string(),
      v.check((text) => !isNaN(Date.parse(text))),
    ),
  ),
  storage: v.nullish(v.object({ type: v.string() }), { type: 'file' }),
})

/** The file store of `@tus/server`, 1.x and 2.x: `<id>` and `<id>.json`. */
export const tusNode: OldServer = {
  name: '@tus/server',
  suffix: '.json',
  isSideFile: () => false,
  parse(content, { id: name, folder }) {
    const { id, size: length, storage, ...others } = parseContent(record, content)
    checkId(id, name)
    checkKind(storage.type, 'file')
    return {
      id,
      length: length ?? undefined,
      metadata: withoutNull(others.metadata),
      ...(others.creation_date !== undefined && { createdAt: new Date(others.creation_date) }),
      paths: [join(folder, id)],
    }
  },
}
