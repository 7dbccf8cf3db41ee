import { SettingError } from '../../settings/setting-error.js'

/** A server to check, from outside. */
export interface Target {
  /** The URL that creates uploads. */
  readonly base: URL
  /** Headers of every request. */
  readonly headers: Readonly<Record<string, string>>
}

/** Returns the target that flags describe. */
export function parseTarget(url: string, header: string | undefined): Target {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new SettingError(`--url must be a URL such as https://example.org/files/, not '${url}'.`)
  }
  const base = new URL(url)
  if (base.hash !== '') throw new SettingError(`--url must have no #, as '${url}' has.`)
  if (header === undefined) return { base, headers: {} }
  const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+): *(\S[^\r\n\0]*)$/.exec(header) ?? []
  if (name !== undefined && value !== undefined) return { base, headers: { [name]: value } }
  throw new SettingError(`--header must be a name, a colon and a value, not '${header}'.`)
}
