import type { IncomingMessage } from 'node:http'
import type { UnplacedUpload, Upload } from './upload.js'

/** The moments in the life of an upload, named as tusd names them, and `access`. */
export type HookType =
  | 'access'
  | 'pre-create'
  | 'post-create'
  | 'post-receive'
  | 'pre-finish'
  | 'post-finish'
  | 'pre-terminate'
  | 'post-terminate'

/** What happened, or is about to. */
export interface HookEvent {
  readonly type: HookType
  /**
   * Derived from the upload, for example `<upload id>/post-finish`. An event that is delivered again after a crash
   * has the same id, so a consumer can tell.
   */
  readonly id: string
}

/** What every hook gets. */
export interface HookContext {
  readonly event: HookEvent
  /** The record as it is at this moment. */
  readonly upload: Upload
  /**
   * The request, as Node made it and as middleware decorated it (`request.user`). Its body belongs to the upload.
   * Absent when no request is the cause: the application's own calls, expiry, a finish that is driven again.
   */
  readonly request: IncomingMessage | undefined
  /**
   * Aborts when the hook has taken longer than `hookTimeout`, `preFinish` than `preFinishTimeout`: what it returns is ignored from
   * then on. Pass it to what you wait for, such as `fetch`.
   */
  readonly signal: AbortSignal
}

/** An answer that a hook chooses. */
export interface HookResponse {
  /** HTTP status. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Text. Absent: empty, or the sentence of the error. */
  readonly body?: string
}

/** A verdict that refuses. `true` gives the default answer of the moment, `false` refuses nothing. */
export interface RejectVerdict {
  readonly reject: boolean | HookResponse
}

/** What a request wants. */
export type AccessAction = 'create' | 'inspect' | 'append' | 'terminate' | 'read' | 'concatenate'

/** What {@link Hooks.access} gets. */
export interface AccessContext extends Omit<HookContext, 'upload'> {
  readonly action: AccessAction
  /** The upload that is asked for; absent for `create`. For `concatenate`, one of the parts. */
  readonly upload: Upload | undefined
}

/** What {@link Hooks.preCreate} gets. */
export interface PreCreateContext extends Omit<HookContext, 'upload'> {
  /** The record as it would be. */
  readonly upload: UnplacedUpload
}

/** What {@link Hooks.preCreate} may change. Absent members leave things as they are. */
export interface PreCreateVerdict {
  /** Refuses the creation. Default status 400. */
  readonly reject?: boolean | HookResponse
  /** The id to use. Must satisfy `isUploadId`, and not be in use. */
  readonly id?: string
  /** Replaces the metadata whole. */
  readonly metadata?: Readonly<Record<string, string>>
  /** The most bytes this upload may hold, instead of the handler's `maxSize`. */
  readonly maxSize?: number
  /** Where the data shall live, in the data store's own terms; for `FileStore` `{ path }`. */
  readonly place?: Readonly<Record<string, string>>
}

/** What {@link Hooks.postReceive} gets. */
export interface PostReceiveContext extends HookContext {
  /** Bytes that are stored. */
  readonly offset: number
}

/** What {@link Hooks.postReceive} may answer. */
export interface PostReceiveVerdict {
  /** Ends the upload for good: the request gets this answer, default status 400, and so does whoever asks later. */
  readonly stop?: boolean | HookResponse
}

/** What {@link Hooks.preFinish} may answer. */
export interface PreFinishVerdict {
  /** Refuses the finished upload for good. Default status 400. Recorded, and replayed to whoever asks again. */
  readonly reject?: boolean | HookResponse
  /**
   * The answer to the finishing request: a 2xx status (default that of the request, but 200 for a PATCH of tus with a body),
   * headers, body. Recorded, and replayed.
   */
  readonly response?: HookResponse
}

type Awaitable<T> = T | Promise<T>

/**
 * Functions that the application hangs into the life of uploads. Each is optional.
 *
 * The `pre-` hooks and `access` are awaited and may refuse. When one throws, or takes longer than `hookTimeout`, the request
 * is answered with 500 `ERR_HOOK_FAILED` and nothing is recorded. The `post-` hooks run after the fact, those of one upload in order and
 * one at a time, and none after `post-finish` but those of a termination; what they throw is logged. One that takes longer than
 * `hookTimeout` is logged, too, and the next one runs.
 */
export interface Hooks {
  /**
   * Asked for every request but OPTIONS, before anything happens: also for downloads, and for each part of a
   * concatenation. Default status of a refusal: 403.
   */
  access?(context: AccessContext): Awaitable<RejectVerdict | void>
  /**
   * Before anything exists. May refuse, and change what will be created.
   *
   * Do not limit the size by `upload.length` here: it is absent when the client declares the length later, so `length > limit`
   * lets such an upload pass. Return `maxSize`, or set the option: that holds for every byte.
   */
  preCreate?(context: PreCreateContext): Awaitable<PreCreateVerdict | void>
  /** After the record and the data exist. Bytes that come with the creation do not wait for it; pre-finish does. */
  postCreate?(context: HookContext): Awaitable<void>
  /** While bytes come in, at most once per `progressInterval`, when more of them are stored. May stop the upload. */
  postReceive?(context: PostReceiveContext): Awaitable<PostReceiveVerdict | void>
  /**
   * When all bytes are stored and the data can be read. Not for partial uploads. May run again, with the same event
   * id, when the server was killed before the verdict was recorded.
   */
  preFinish?(context: HookContext): Awaitable<PreFinishVerdict | void>
  /** After the upload is recorded as finished and the request is answered. Not for partial uploads. */
  postFinish?(context: HookContext): Awaitable<void>
  /** Before an upload is terminated by a request or by the application; not before expiry. Default status 400. */
  preTerminate?(context: HookContext): Awaitable<RejectVerdict | void>
  /** After an upload was terminated. */
  postTerminate?(context: HookContext): Awaitable<void>
}

/** What {@link PresentDownload} gets. */
export interface DownloadContext {
  readonly upload: Upload
  /** The request, as Node made it and as middleware decorated it (`request.user`). */
  readonly request: IncomingMessage
  /**
   * Aborts when the function has taken longer than `hookTimeout`: what it returns is ignored from then on. Pass it to what
   * you wait for, such as `fetch`.
   */
  readonly signal: AbortSignal
}

/** How a download is presented. What is absent is as without {@link PresentDownload}. */
export interface DownloadPresentation {
  /** Whether browsers show the content in place. Default: `inline` for types that cannot carry a script. */
  readonly disposition?: 'inline' | 'attachment'
  /** The name under which browsers save the file; only its last segment counts. Default: that of the metadata. */
  readonly filename?: string
  /** A media type. Default: that of the metadata, else `application/octet-stream`. */
  readonly contentType?: string
  /**
   * More headers. They replace `Cache-Control` (default `private, no-cache, no-transform`) and `Content-Security-Policy`
   * (default `sandbox`), but not those that describe the bytes or the connection.
   */
  readonly headers?: Readonly<Record<string, string>>
}

/** Chooses how a download is presented. */
export type PresentDownload = (context: DownloadContext) => Awaitable<DownloadPresentation | void>
