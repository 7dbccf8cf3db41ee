import type { Concat } from 'tuskit'

/** An upload as the record of another server describes it. */
export interface OldUpload {
  readonly id: string
  /** Absent while the client has not declared it. */
  readonly length?: number | undefined
  readonly metadata: Readonly<Record<string, string>>
  /** Absent when the record does not say. */
  readonly createdAt?: Date
  /** The time of the last change of the record. */
  readonly changedAt?: Date
  readonly role?: { readonly kind: Concat['kind']; readonly parts: readonly string[] } | undefined
}

/** An upload in a folder. */
export interface OldFile extends OldUpload {
  /**
   * How many bytes count. Absent when the record does not say: then all bytes of the file do.
   */
  readonly offset?: number
  /** Absolute paths at which the data may be, the most likely first. */
  readonly paths: readonly string[]
}

/** An upload in a bucket, as its record describes it. */
export interface DescribedObject extends OldUpload {
  readonly key: string
  /** The id of its multipart upload, if the record says it. */
  readonly multipart: string | undefined
}

/** An upload in a bucket. */
export interface OldObject extends DescribedObject {
  /** The key of its record. */
  readonly info: string
  /** The key of the object with the bytes that fill no part. */
  readonly part: string
}

/** Where a record was found in a folder. */
export interface Found {
  /** The id, as the name of the record has it. */
  readonly id: string
  /** The folder of the data. */
  readonly folder: string
}

/** Where a record was found in a bucket. */
export interface FoundObject {
  /** The name of the record in the folder of the records, without its suffix. */
  readonly name: string
  /** The key of the record, without its suffix. */
  readonly key: string
  /** The metadata of the object. */
  readonly metadata: Readonly<Record<string, string>>
}

/** A server whose uploads can be adopted. */
export interface OldServer {
  readonly name: string
  /** The end of the names of records. The rest is the id of the upload. */
  readonly suffix: string
  /** Whether a file that is no record belongs to the server, and is no data either. */
  isSideFile(name: string): boolean
  /** Throws a {@link NotAdoptable} when the content of a record is not usable. */
  parse(content: unknown, found: Found): OldFile
  /** Does the same with a record in a bucket. Absent when such uploads cannot be adopted. */
  parseObject?(content: unknown, found: FoundObject): DescribedObject
  /** Returns a reason why the upload cannot be adopted right now. */
  obstacle?(found: Found): Promise<string | undefined>
}

/** The reason why an upload cannot be adopted. */
export class NotAdoptable extends Error {}
