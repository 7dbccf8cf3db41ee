import type { DownloadPresentation } from '../../hooks.js'
import type { Metadata } from '../../upload.js'
import { baseName } from '../../base-name.js'
import { httpToken } from '../../http-token.js'

/** The only types that browsers may show in place: none of them can carry a script. */
const inlineTypes = new Set([
  'text/plain',
  ...['image/png', 'image/jpeg', 'image/gif', 'image/bmp', 'image/webp'],
  ...['audio/wave', 'audio/wav', 'audio/x-wav', 'audio/x-pn-wav', 'audio/webm', 'audio/ogg'],
  ...['video/mp4', 'video/webm', 'video/ogg', 'application/ogg'],
])

/** A media type as RFC 6838 section 4.2 names them, and parameters as of RFC 9110 section 5.6.6. */
const restrictedName = '[a-z0-9][a-z0-9!#$&^_.+-]{0,126}'
const quotedString = /"(?:[\t !#-[\]-~]|\\[\t -~])*"/.source
const mediaTypePattern = new RegExp(
  `^(${restrictedName}/${restrictedName})` +
    `(?:[ \\t]*;[ \\t]*${httpToken}=(?:${httpToken}|${quotedString}))*$`,
  'i',
)

/**
 * The headers that say what a download is, from what its uploader claimed.
 *
 * The type is that of the metadata `filetype` or `type`, the first that is a media type, else
 * `application/octet-stream`. The name is that of `filename`, `name` or `fileName`, the first that is not empty,
 * without directories. What the application chose comes first. Everything but plain text and common images, sounds and films is an attachment.
 */
export function contentHeaders(
  metadata: Metadata,
  presentation: DownloadPresentation = {},
): {
  readonly 'content-type': string
  readonly 'content-disposition': string
} {
  const { filetype, type, filename, name, fileName } = metadata.values
  const mediaType = [presentation.contentType, filetype, type].map(parseMediaType).find(Boolean)
  const fileNamed = [presentation.filename, filename, name, fileName].map(baseName).find(Boolean)
  const isInline = mediaType !== undefined && inlineTypes.has(mediaType.essence)
  const { disposition = isInline ? 'inline' : 'attachment' } = presentation
  return {
    'content-type': mediaType?.text ?? 'application/octet-stream',
    'content-disposition': disposition + (fileNamed ? formatFilename(fileNamed) : ''),
  }
}

/** Whether a text is a media type that downloads may have. */
export function isMediaType(text: string): boolean {
  return parseMediaType(text) !== undefined
}

function parseMediaType(text = ''): { text: string; essence: string } | undefined {
  const essence = text.length > 255 ? undefined : mediaTypePattern.exec(text)?.[1]
  return essence === undefined ? undefined : { text, essence: essence.toLowerCase() }
}

/** RFC 6266: a name in ASCII that everybody reads and, where that is not the whole name, the whole in UTF-8. */
function formatFilename(name: string): string {
  // Some browsers decode percent signs here (RFC 6266 appendix D), and quoted pairs are often misread.
  const fallback = name.replace(/[^ -~]|["\\%]/gu, '_')
  const simple = `; filename="${fallback}"`
  return fallback === name ? simple : `${simple}; filename*=UTF-8''${encode(name)}`
}

/** Percent-encoding as of RFC 8187, which keeps less than `encodeURIComponent`. */
function encode(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
