import type { OptionRule } from 'tuskit/store-kit'

/** The names of tables and the like, as statements need them. */
export interface Tables {
  readonly uploads: string
  /** The index of `uploads`. */
  readonly expiry: string
  readonly locks: string
  /** The sequence of the tokens of locks. */
  readonly tokens: string
  readonly versions: string
  /** The channel of messages about locks, without quotes. */
  readonly channel: string
}

export const beTablePrefix: OptionRule = {
  expectation:
    "1 to 40 of A-Z a-z 0-9 _, with the name of a schema and a dot before it if you like, such as 'app.tuskit_'",
  accepts: (v) => typeof v === 'string' && /^([A-Za-z_]\w{0,62}\.)?[A-Za-z_]\w{0,39}$/.test(v),
}

export function tablesOf(prefix: string): Tables {
  const dot = prefix.indexOf('.')
  const [schema, start] = [prefix.slice(0, Math.max(dot, 0)), prefix.slice(dot + 1)]
  const within = schema && `"${schema}".`
  return {
    uploads: `${within}"${start}uploads"`,
    // It is always in the schema of its table.
    expiry: `"${start}uploads_expires_at"`,
    locks: `${within}"${start}locks"`,
    tokens: `${within}"${start}lock_tokens"`,
    versions: `${within}"${start}schema"`,
    channel: `${start}locks`,
  }
}
