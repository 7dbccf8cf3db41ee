import type { ComposerPart, HookBackend, Logger, StorageRef, UnplacedUpload, Upload } from 'tuskit'

/** Adds stores, lockers and hooks to the program. Each has a URL with a scheme of its own. */
export interface Plugin {
  /** Stores for the bytes of uploads, by the scheme of their URL without the colon. */
  readonly data?: Readonly<Record<string, MakePart>>
  /** Stores for the records of uploads. */
  readonly info?: Readonly<Record<string, MakePart>>
  /** Lockers. */
  readonly locks?: Readonly<Record<string, MakePart>>
  /** Backends of hooks. */
  readonly hooks?: Readonly<Record<string, MakeHooks>>
  /** The buckets from which `tuskit adopt` takes over uploads. */
  readonly adoptable?: Readonly<Record<string, OpenAdoptable>>
}

/**
 * Makes the part that a URL describes. Throw an `Error` for a wrong URL: its message is shown to
 * the administrator. Connect in the part's `open` and not here, see `Lifecycle`.
 */
export type MakePart = (url: string, context: PartContext) => ComposerPart | Promise<ComposerPart>

/** Makes the backend that a URL describes, under the rules of {@link MakePart}. */
export type MakeHooks = (url: string, context: HooksContext) => HookBackend | Promise<HookBackend>

/**
 * Opens the bucket of another server. Its records have the beginning of the path of `url`, which
 * ends with a slash if it is not empty. `data` is the setting, whose store continues the uploads.
 * Throw an `Error` if that store has another bucket.
 */
export type OpenAdoptable = (
  url: string,
  data: string,
) => AdoptableBucket | Promise<AdoptableBucket>

/** A bucket of another server. An upload has up to four objects: see {@link AdoptableObjects}. */
export interface AdoptableBucket {
  /** The beginning of the keys of records. */
  readonly prefix: string
  /** Yields the keys that begin with the prefix. */
  keys(signal: AbortSignal): AsyncIterable<string>
  /**
   * Returns an object, or `undefined` if there is none. Throws an `Error` if it is longer than
   * `longest` bytes.
   */
  read(key: string, longest: number, signal: AbortSignal): Promise<AdoptableRecord | undefined>
  /** Looks for the data of an upload. Throws an `Error` with the reason if it cannot be adopted. */
  find(objects: AdoptableObjects, signal: AbortSignal): Promise<FoundData>
  delete(key: string, signal: AbortSignal): Promise<void>
}

/** The object with the record of an upload. */
export interface AdoptableRecord {
  readonly text: string
  readonly metadata: Readonly<Record<string, string>>
  readonly modified: Date
}

/** An upload, as its record describes it. */
export interface AdoptableObjects {
  readonly id: string
  /** The key of the finished object, and of the multipart upload before. */
  readonly key: string
  /** The key of the record. */
  readonly info: string
  /** The key of the object with the bytes that fill no part. */
  readonly part: string
  /** The id of the multipart upload, if the record says it. */
  readonly multipart: string | undefined
  readonly length: number | undefined
  /** The setting `max-size`. */
  readonly maxSize: number | undefined
}

/** The data of an upload, where the data store can continue it. */
export interface FoundData {
  /** The place for the new record. It names all objects that the upload has. */
  readonly storage: StorageRef
  /** How many bytes are stored. */
  readonly offset: number
  /** When the finished object was stored. Absent if the upload is not finished. */
  readonly finishedAt?: Date | undefined
  /** The most bytes that the upload can have. Absent when unlimited. */
  readonly maxSize?: number | undefined
  /**
   * Stores what the record needs besides the objects that are there. Changes none of those, and can
   * be repeated.
   */
  prepare(upload: Upload): Promise<void>
}

/** The context of a part. */
export interface PartContext {
  readonly logger: Logger
  /**
   * Returns the path that the settings `dir-structure` and `file-names` give the data of an upload:
   * its id, unless they are set. Always the same for the same upload, and different for different
   * ones. Stores for data should use it as the name of a file or object.
   */
  readonly locate: (upload: UnplacedUpload) => string
}

/** The context of a hook backend. */
export interface HooksContext {
  readonly logger: Logger
  /** The setting `hooks-events`. */
  readonly events: HookBackend['events'] | undefined
  /** The setting `hooks-format`. */
  readonly format: 'tusd' | 'rustus' | 'rustus-v2' | 'rustus-tusd'
  /** The setting `hooks-timeout`, in milliseconds. */
  readonly timeout: number
}
