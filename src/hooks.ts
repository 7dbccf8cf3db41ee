import type { IncomingMessage } from 'node:http'
import type { HookRequest } from './hook-request.js'
import type { UnplacedUpload, Upload } from './upload.js'

/** The points in an upload's life at which hooks run, named as in tusd, and `access`. */
export type HookType = (typeof hookTypes)[number]

/** The types of all events. */
export const hookTypes = [
  ...(['access', 'pre-create', 'post-create', 'post-receive'] as const),
  ...(['pre-finish', 'post-finish', 'pre-terminate', 'post-terminate'] as const),
] as const

/** The event that a hook is called for. */
export interface HookEvent {
  readonly type: HookType
  /**
   * Derived from the upload, such as `<upload id>/post-finish`. An event that is delivered again
   * after a crash has the same id, so a consumer can recognise it.
   */
  readonly id: string
}

/** The argument of every hook. */
export interface HookContext {
  readonly event: HookEvent
  /** The record at this moment. */
  readonly upload: Upload
  /** Bytes that are stored. */
  readonly offset: number
  /**
   * The request, as Node made it and middleware decorated it (`request.user`). Its body belongs to
   * the upload. Absent when no request is the cause: the application's own calls, expiry, or a
   * finish that the server repeats.
   */
  readonly request: IncomingMessage | undefined
  /**
   * The request as plain data. In addition to `request`, it is there when an outbox delivers an
   * event later, even after a crash.
   */
  readonly requestData: HookRequest | undefined
  /**
   * Aborts when the hook has taken longer than `hookTimeout`, or `preFinish` longer than
   * `preFinishTimeout`. From then on its result is ignored. Pass the signal to what you wait for,
   * such as `fetch`.
   */
  readonly signal: AbortSignal
}

/** A response that a hook chooses. */
export interface HookResponse {
  /** HTTP status, from 200 to 599. */
  readonly status?: number
  /** `Content-Type` is `text/plain; charset=utf-8` by default if there is a body. */
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Text.
   * @default the sentence of the error, or an empty body
   */
  readonly body?: string
}

/**
 * A result that rejects. `true` gives the default response of the hook, `false` rejects nothing.
 */
export interface RejectVerdict {
  readonly reject: boolean | HookResponse
}

/** The result of {@link Hooks.preTerminate}. Absent members change nothing. */
export interface PreTerminateVerdict {
  /** Rejects the termination. The default status is 400. */
  readonly reject?: boolean | HookResponse
  /**
   * The response to the request when the upload has been removed, with a 2xx status. The default
   * status is 204, or 200 if there is a body.
   */
  readonly response?: HookResponse
}

/** The action that a request wants to do. */
export type AccessAction = 'create' | 'inspect' | 'append' | 'terminate' | 'read' | 'concatenate'

/** The argument of {@link Hooks.access}. */
export interface AccessContext extends Omit<HookContext, 'upload' | 'offset'> {
  readonly action: AccessAction
  /**
   * The upload of the request. Absent for `create`. For `concatenate`, one of the partial uploads.
   */
  readonly upload: Upload | undefined
}

/** The argument of {@link Hooks.preCreate}. */
export interface PreCreateContext extends Omit<HookContext, 'upload' | 'offset'> {
  /** The record as it would be. */
  readonly upload: UnplacedUpload
}

/** The result of {@link Hooks.preCreate}. Absent members change nothing. */
export interface PreCreateVerdict {
  /** Rejects the creation. The default status is 400. */
  readonly reject?: boolean | HookResponse
  /** The id of the upload. It must satisfy `isUploadId`, and not be in use. */
  readonly id?: string
  /** Replaces all metadata. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Maximum size of this upload in bytes, instead of the handler's `maxSize`. */
  readonly maxSize?: number
  /** The place of the data, in the data store's own terms: `{ path }` for `FileStore`. */
  readonly place?: Readonly<Record<string, string>>
  /**
   * The response to the creation when it has succeeded, with a 2xx status. It is not recorded, and
   * the `response` of `preFinish` replaces it when the request completes the upload. The default
   * status is 201.
   */
  readonly response?: HookResponse
}

/** The result of {@link Hooks.postReceive}. */
export interface PostReceiveVerdict {
  /**
   * Stops the upload permanently. This request and all later ones get the response. The default
   * status is 400.
   */
  readonly stop?: boolean | HookResponse
}

/** The result of {@link Hooks.preFinish}. */
export interface PreFinishVerdict {
  /**
   * Rejects the upload permanently. The response is recorded, and later requests get it too. The
   * default status is 400.
   */
  readonly reject?: boolean | HookResponse
  /**
   * The response to the finishing request, with a 2xx status. It is recorded, and later requests
   * that complete the upload again get it too. The default status is that of the request, but 200
   * for a tus PATCH if there is a body.
   */
  readonly response?: HookResponse
}

type Awaitable<T> = T | Promise<T>

/**
 * Callbacks that run at defined points in an upload's life. Each is optional.
 *
 * The server waits for `access` and the `pre-` hooks, which may reject. If one throws or takes
 * longer than `hookTimeout`, the request gets 500 `ERR_HOOK_FAILED` and nothing is recorded.
 *
 * The `post-` hooks run after the fact. Those of one upload run in order, one at a time. After
 * `post-finish`, only those of a termination follow. If one throws or takes longer than
 * `hookTimeout`, that is logged, and the next one runs.
 *
 * In a list, each is called after the one before it has settled, with a time limit of its own. The
 * first rejection counts, and later hooks are not asked. `preCreate` gets the upload as the earlier
 * ones want it, and of several choices the last one counts. `post-` hooks run even if an earlier
 * one has failed.
 */
export interface Hooks {
  /**
   * Runs for every request but OPTIONS, before anything happens. That includes downloads, and each
   * partial upload of a concatenation. A rejection has the status 403 by default.
   */
  access?(context: AccessContext): Awaitable<RejectVerdict | void>
  /**
   * Runs before anything exists. May reject, and change what will be created.
   *
   * Do not limit sizes with `upload.length`. It is absent when the client declares the length
   * later, so `length > limit` lets such an upload pass. Return `maxSize` or set the option
   * instead: it holds for every byte.
   */
  preCreate?(context: PreCreateContext): Awaitable<PreCreateVerdict | void>
  /**
   * Runs when record and data exist. Bytes that come with the creation do not wait for it;
   * `preFinish` does.
   */
  postCreate?(context: HookContext): Awaitable<void>
  /**
   * Runs while bytes come in, when more of them are stored, at most once per `progressInterval`.
   * May stop the upload.
   */
  postReceive?(context: HookContext): Awaitable<PostReceiveVerdict | void>
  /**
   * Runs when all bytes are stored and can be read. Not for partial uploads. Runs again, with the
   * same event id, if the server was killed before the result was recorded.
   */
  preFinish?(context: HookContext): Awaitable<PreFinishVerdict | void>
  /**
   * Runs when the upload is recorded as finished and the response is sent. Not for partial uploads.
   */
  postFinish?(context: HookContext): Awaitable<void>
  /**
   * Runs before a request or the application terminates an upload. Not before expiry. May reject,
   * and choose the response.
   */
  preTerminate?(context: HookContext): Awaitable<PreTerminateVerdict | void>
  /** Runs when an upload has been terminated. */
  postTerminate?(context: HookContext): Awaitable<void>
}

/** The argument of {@link PresentDownload}. */
export interface DownloadContext {
  readonly upload: Upload
  /** The request, as Node made it and middleware decorated it (`request.user`). */
  readonly request: IncomingMessage
  /**
   * Aborts when the function has taken longer than `hookTimeout`. From then on its result is
   * ignored. Pass the signal to what you wait for, such as `fetch`.
   */
  readonly signal: AbortSignal
}

/** The presentation of a download. Absent members have the defaults. */
export interface DownloadPresentation {
  /**
   * Whether browsers show or save the content.
   * @default 'inline' for types that cannot carry a script, else 'attachment'
   */
  readonly disposition?: 'inline' | 'attachment'
  /**
   * The name under which browsers save the file. Only its last segment counts.
   * @default the name in the metadata
   */
  readonly filename?: string
  /**
   * A media type.
   * @default the type in the metadata, else 'application/octet-stream'
   */
  readonly contentType?: string
  /**
   * More headers. They replace `Cache-Control` (by default `private, no-cache, no-transform`) and
   * `Content-Security-Policy` (by default `sandbox`). Headers that describe the bytes or the
   * connection are refused.
   */
  readonly headers?: Readonly<Record<string, string>>
}

/** Chooses the presentation of a download. */
export type PresentDownload = (context: DownloadContext) => Awaitable<DownloadPresentation | void>
