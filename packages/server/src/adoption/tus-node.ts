import { join } from 'node:path'
import * as v from 'valibot'
import type { OldServer, OldUpload } from './old-upload.js'
import {
  checkId,
  checkKind,
  checkObjectId,
  metadata,
  parseContent,
  size,
  withoutNull,
} from './parse-content.js'

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
  storage: v.nullish(v.object({ type: v.string() })),
})

/**
 * The file store of `@tus/server`, 1.x and 2.x: `<id>` and `<id>.json`. Its store for S3 keeps the
 * id of the multipart upload in the metadata of the object with the record.
 */
export const tusNode: OldServer = {
  name: '@tus/server',
  suffix: '.json',
  isSideFile: () => false,
  parse(content, { id: name, folder }) {
    const parsed = parseContent(record, content)
    checkId(parsed.id, name)
    checkKind(parsed.storage?.type ?? 'file', 'file')
    return { ...describe(parsed), paths: [join(folder, name)] }
  },
  parseObject(content, { name, key, metadata: { 'upload-id': multipart } }) {
    const parsed = parseContent(record, content)
    checkObjectId(parsed.id, name)
    checkKind(parsed.storage?.type ?? 's3', 's3', 'bucket')
    return { ...describe(parsed), key, multipart }
  },
}

function describe({ id, size, metadata, creation_date }: v.InferOutput<typeof record>): OldUpload {
  return {
    id,
    length: size ?? undefined,
    metadata: withoutNull(metadata),
    ...(creation_date !== undefined && { createdAt: new Date(creation_date) }),
  }
}
