import { lstat, readFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import * as v from 'valibot'
import type { Found, OldServer, OldUpload } from './old-upload.js'
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
  ID: v.string(),
  Size: size,
  SizeIsDeferred: v.optional(v.boolean(), false),
  MetaData: v.nullish(metadata, {}),
  IsPartial: v.optional(v.boolean(), false),
  IsFinal: v.optional(v.boolean(), false),
  PartialUploads: v.nullish(v.array(v.string())),
  Storage: v.nullish(
    v.object({
      Type: v.optional(v.string()),
      Path: v.optional(v.string()),
      InfoPath: v.optional(v.string()),
      Key: v.optional(v.string()),
    }),
    {},
  ),
})

/**
 * The file store of tusd: `<id>` and `<id>.info`. The offset in the record is not that of the
 * upload. A hook may have put the data elsewhere.
 *
 * Its store for S3: the id is that of the object, a plus sign, and that of the multipart upload.
 * The records of programs that use tusd as a library may be in another folder than the data.
 */
export const tusd: OldServer = {
  name: 'tusd',
  suffix: '.info',
  isSideFile: (name) => /\.(lock|stop)$/.test(name),
  parse(content, found) {
    const parsed = parseContent(record, content)
    const { ID, Storage } = parsed
    checkId(ID, found.id)
    checkKind(Storage.Type ?? 'filestore', 'filestore')
    return { ...describe(parsed), paths: pathsOf(Storage, found) }
  },
  parseObject(content, { name, key }) {
    const parsed = parseContent(record, content)
    const { ID, Storage } = parsed
    const [, object = ID, multipart] = /^(.*?)\+(.*)$/s.exec(ID) ?? []
    checkObjectId(object, name)
    checkKind(Storage.Type ?? 's3store', 's3store', 'bucket')
    return { ...describe(parsed), key: Storage.Key ?? key, multipart }
  },
  /** A lock file holds the id of the process that has the lock. It stays when that is killed. */
  async obstacle({ id, folder }) {
    const path = join(folder, `${id}.lock`)
    const stats = await lstat(path).catch(() => undefined)
    if (!stats?.isFile() || stats.size > 20) return undefined
    const owner = Number(await readFile(path, 'utf8'))
    if (!Number.isSafeInteger(owner) || owner <= 0) return undefined
    const program = await readFile(`/proc/${owner}/comm`, 'utf8').catch(() => '')
    return program.trim() === 'tusd' ? `tusd is still running, as process ${owner}` : undefined
  },
}

function describe({
  ID,
  Size,
  SizeIsDeferred,
  MetaData,
  ...others
}: v.InferOutput<typeof record>): OldUpload {
  const { IsPartial, IsFinal, PartialUploads } = others
  const kind = IsFinal ? 'final' : IsPartial ? 'partial' : undefined
  return {
    id: ID,
    length: SizeIsDeferred ? undefined : Size,
    metadata: withoutNull(MetaData),
    role: kind && { kind, parts: PartialUploads ?? [] },
  }
}

/** Returns the path relative to where the record was, and then as it is recorded. */
function pathsOf(
  { Path, InfoPath }: { Path?: string | undefined; InfoPath?: string | undefined },
  { id, folder }: Found,
): readonly string[] {
  const end = `/${id}.info`
  if (Path === undefined || InfoPath?.endsWith(end) !== true) return [join(folder, id)]
  const oldFolder = InfoPath.slice(0, -end.length) || '/'
  return [resolve(folder, relative(oldFolder, Path)), resolve(folder, Path)]
}
