import type { DownloadPresentation } from '../../hooks.js'
import type { Metadata } from '../../upload.js'
import { baseName } from '../../base-name.js'
import { httpToken } from '../../http-token.js'

/** The only types that browsers may show inline. They cannot contain scripts. */
const inlineTypes = new Set([
  'text/plain',
  ...['image/png', 'image/jpeg', 'image/gif', 'image/bmp', 'image/webp'],
  ...['audio/wave', 'audio/wav', 'audio/x-wav', 'audio/x-pn-wav', 'audio/webm', 'audio/ogg'],
  ...['video/mp4', 'video/webm', 'video/ogg', 'application/ogg'],
])

/** A media type (RFC 6838 section 4.2) with parameters (RFC 9110 section 5.6.6). */
const restrictedName = '[a-z0-9][a-z0-9!#$&^_.+-]{0,126}'
const quotedString = /"(?:[\t !#-[\]-~]|\\[\t -~])*"/.source
const mediaTypePattern = new RegExp(
  `^(${restrictedName}/${restrictedName})` +
    `(?:[ \\t]*;[ \\t]*${httpToken}=(?:${httpToken}|${quotedString}))*$`,
  'i',
)

/**
 * Returns the headers that describe a download.
 *
 * The application's choice takes precedence over the metadata, which the uploader wrote. The type
 * is the first media type among `filetype` and `type`, otherwise `application/octet-stream`. The
 * name is the first of `filename`, `name` and `fileName` that is not empty, without directories.
 * Everything except plain text and common images, sounds and films is an attachment.
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

/** Whether a string is a media type that downloads may have. */
export function isMediaType(text: string): boolean {
  return parseMediaType(text) !== undefined
}

function parseMediaType(text = ''): { text: string; essence: string } | undefined {
  const essence = text.length > 255 ? undefined : mediaTypePattern.exec(text)?.[1]
  return essence === undefined ? undefined : { text, essence: essence.toLowerCase() }
}

/**
 * Formats a name by RFC 6266: in ASCII, which every client reads, and also in UTF-8 when ASCII
 * cannot express it.
 */
function formatFilename(name: string): string {
  // Some browsers decode percent signs here (RFC 6266 appendix D) and misread quoted pairs.
  const fallback = name.replace(/[^ -~]|["\\%]/gu, '_')
  const simple = `; filename="${fallback}"`
  return fallback === name ? simple : `${simple}; filename*=UTF-8''${encode(name)}`
}

/** Percent-encodes by RFC 8187, which leaves fewer characters than `encodeURIComponent`. */
function encode(name: string): string {
  return encodeURIComponent(name).replace(
    /['()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
