import type { Upload } from 'tuskit'
import type { ObjectParameters } from '../bucket/bucket.js'

/**
 * Returns the parameters of the finished object: those of the application, and what the client said
 * about its file.
 */
export function objectParameters(upload: Upload, given: ObjectParameters): ObjectParameters {
  const { values } = upload.metadata
  const headers = upload.representation?.headers ?? {}
  const type = values.filetype ?? values.type ?? headers['content-type']
  const name = values.filename ?? values.name
  const disposition =
    name === undefined || name === '' ? headers['content-disposition'] : attachment(name)
  return {
    ...(isHeaderValue(type) && { ContentType: type }),
    ...(isHeaderValue(disposition) && { ContentDisposition: disposition }),
    ...(isHeaderValue(headers['content-encoding']) && {
      ContentEncoding: headers['content-encoding'],
    }),
    ...(isHeaderValue(headers['content-language']) && {
      ContentLanguage: headers['content-language'],
    }),
    ...given,
  }
}

/**
 * Returns the parameters of objects that only tuskit uses: encrypted like the others, but not
 * public.
 */
export function privateParameters(given: ObjectParameters): ObjectParameters {
  const { ServerSideEncryption, SSEKMSKeyId, SSEKMSEncryptionContext, BucketKeyEnabled } = given
  const { RequestPayer, ExpectedBucketOwner } = given
  const chosen = { ServerSideEncryption, SSEKMSKeyId, SSEKMSEncryptionContext, BucketKeyEnabled }
  const entries = Object.entries({ ...chosen, RequestPayer, ExpectedBucketOwner })
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/** S3 gets no other characters: it would store some of them wrongly, and refuse others. */
function isHeaderValue(value: string | undefined): value is string {
  return value !== undefined && /^[\x20-\x7e]+$/.test(value)
}

/** A header that names a file in any language (RFC 6266, RFC 8187). */
function attachment(name: string): string {
  const fallback = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  // Half a character, which no URL can hold, becomes a replacement.
  const whole = Buffer.from(name).toString()
  const hex = (c: string) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`
  const encoded = encodeURIComponent(whole).replace(/['()*]/g, hex)
  return `attachment; filename="${fallback}"; filename*=UTF-8''${encoded}`
}
