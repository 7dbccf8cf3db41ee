import type { Upload } from 'tuskit'

/** Returns the file name that the client gave, if it gave one. */
export function nameOf({ metadata, representation }: Upload): string | undefined {
  const { filename, name } = metadata.values
  const disposition = representation?.headers['content-disposition']
  return filename ?? name ?? /filename="?([^";]+)/i.exec(disposition ?? '')?.[1]
}
