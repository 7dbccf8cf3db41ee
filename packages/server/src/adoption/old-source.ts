import type { Upload } from 'tuskit'
import type { NewHome } from './new-home.js'
import type { OldUpload } from './old-upload.js'

/** A place in which another server keeps uploads: a folder, or a bucket. */
export interface OldSource<Old extends OldUpload = OldUpload> {
  /** The word for its entries. */
  readonly entry: 'file' | 'object'
  /** The term of the new records for the place of the data. */
  readonly term: 'path' | 'key'
  /** How many uploads are adopted at the same time. */
  readonly atOnce: number
  /** Returns the number of records. */
  count(signal: AbortSignal): Promise<number>
  /** Yields the names of all records. */
  names(): AsyncIterable<string> | Iterable<string>
  /** Returns the place of a record, as the data store would name it. */
  placeOf(name: string): string
  /** Returns the content of a record. Throws a {@link NotAdoptable} if it cannot be used. */
  read(name: string): Promise<Old>
  /**
   * Writes the record of an upload whose data is there already. Throws a {@link NotAdoptable} when
   * that is not possible.
   */
  adopt(old: Old, home: NewHome): Promise<Adopted>
  /** Removes the old record of an upload that was adopted. */
  removeRecord(name: string): Promise<void>
  /** Yields the entries that belong to no record, with their places and why they do not. */
  strays(): AsyncIterable<Stray>
}

/** An upload that has a record now, or could have one. */
export interface Adopted {
  readonly outcome: 'adopted' | 'present'
  readonly upload: Upload
  readonly offset: number
}

/** A file or object of no upload. */
export interface Stray {
  readonly name: string
  readonly place: string
  readonly reason: string
}
