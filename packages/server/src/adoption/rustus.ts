import { join, resolve } from 'node:path'
import * as v from 'valibot'
import { NotAdoptable, type Found, type OldServer } from './old-upload.js'
import { checkId, checkKind, metadata, parseContent, size, withoutNull } from './parse-content.js'

const record = v.object({
  id: v.string(),
  offset: size,
  length: v.nullish(size),
  path: v.nullish(v.string()),
  created_at: size,
  is_partial: v.optional(v.boolean(), false),
  is_final: v.optional(v.boolean(), false),
  parts: v.nullish(v.array(v.string())),
  storage: v.string(),
  metadata: v.nullish(metadata, {}),
})

/**
 * Rustus: the data is named after the upload, in folders by time. The record is written after the
 * data, and says how many bytes count.
 */
export const rustus: OldServer = {
  name: 'Rustus',
  suffix: '.info',
  isSideFile: () => false,
  parse(content, found) {
    const { id, offset, length, path, storage, ...others } = parseContent(record, content)
    checkId(id, found.id)
    checkKind(storage, 'file_storage')
    const kind = others.is_final ? 'final' : others.is_partial ? 'partial' : undefined
    return {
      id,
      length: length ?? undefined,
      offset,
      metadata: withoutNull(others.metadata),
      createdAt: new Date(others.created_at * 1_000),
      paths: pathsOf(path ?? id, found),
      role: kind && { kind, parts: others.parts ?? [] },
    }
  },
}

/**
 * Returns the ends of the recorded path, which may have been in a folder with another name, and
 * then the path as it is recorded.
 */
function pathsOf(path: string, { id, folder }: Found): readonly string[] {
  const names = path.split('/').filter((name) => name !== '')
  if (names.at(-1) !== id) throw new NotAdoptable('its data has not the name of the upload')
  const ends = names.map((_, i) => join(folder, ...names.slice(i)))
  return [...ends, resolve(folder, path)]
}
