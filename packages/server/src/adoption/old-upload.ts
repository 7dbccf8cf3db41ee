import type { Concat } from 'tuskit'

/** An upload as the record of another server describes it. */
export interface OldUpload {
  readonly id: string
  /** Absent while the client has not declared it. */
  readonly length?: number | undefined
  /**
   * How many bytes count. Absent when the record does not say: then all bytes of the file do.
   */
  readonly offset?: number
  readonly metadata: Readonly<Record<string, string>>
  /** Absent when the record does not say. */
  readonly createdAt?: Date
  /** The time of the last change of the record. */
  readonly changedAt?: Date
  /** Absolute paths at which the data may be, the most likely first. */
  readonly paths: readonly string[]
  readonly role?: { readonly kind: Concat['kind']; readonly parts: readonly string[] } | undefined
}

/** Where a record was found. */
export interface Found {
  /** The id, as the name of the record has it. */
  readonly id: string
  /** The folder of the data. */
  readonly folder: string
}

/** A server whose uploads can be adopted. */
export interface OldServer {
  readonly name: string
  /** The end of the names of records. The rest is the id of the upload. */
  readonly suffix: string
  /** Whether a file that is no record belongs to the server, and is no data either. */
  isSideFile(name: string): boolean
  /** Throws a {@link NotAdoptable} when the content of a record is not usable. */
  parse(content: unknown, found: Found): OldUpload
  /** Returns a reason why the upload cannot be adopted right now. */
  obstacle?(found: Found): Promise<string | undefined>
}

/** The reason why an upload cannot be adopted. */
export class NotAdoptable extends Error {}
