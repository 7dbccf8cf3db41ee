import type { ComposerPart, HookBackend, Logger, UnplacedUpload } from 'tuskit'

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
}

/**
 * Makes the part that a URL describes. Throw an `Error` for a wrong URL: its message is shown to
 * the administrator. Connect in the part's `open` and not here, see `Lifecycle`.
 */
export type MakePart = (url: string, context: PartContext) => ComposerPart | Promise<ComposerPart>

/** Makes the backend that a URL describes, under the rules of {@link MakePart}. */
export type MakeHooks = (url: string, context: HooksContext) => HookBackend | Promise<HookBackend>

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
