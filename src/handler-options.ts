import type { IncomingMessage } from 'node:http'
import type { Feature } from './features.js'
import type { Hooks, PresentDownload } from './hooks.js'
import type { CorsOptions } from './http/cors.js'
import type { TrustProxy } from './http/origin.js'
import type { Logger } from './logger.js'
import type { StoreComposer } from './store-composer.js'
import type { UnplacedUpload } from './upload.js'

/** When uploads expire. At least one of `after` and `finishedAfter` is required. */
export interface ExpirationOptions {
  /**
   * Milliseconds from the creation of an unfinished upload to its expiry. An upload that still receives data is given
   * the same time again when less than half of it is left. Absent: unfinished uploads do not expire.
   */
  readonly after?: number
  /**
   * Milliseconds from the end of a finished upload to its removal, for servers that only pass files on. Counted from the
   * record of finishing, which this option adds to uploads that would do without. What was finished without the option
   * stays. Absent: finished uploads do not expire.
   */
  readonly finishedAfter?: number
  /**
   * Milliseconds between two runs of `uploads.removeExpired()` by a timer of the handler. Absent: no timer; call it
   * yourself. The timer does not keep the process alive.
   */
  readonly sweepEvery?: number
}

/** Memory for bytes between the network and the store. */
export interface BodyBufferOptions {
  /**
   * Bytes that one upload may gather while the store is busy; as many again may be at the store. Default 1 MiB, at
   * least 64 KiB.
   */
  readonly perUpload?: number
  /**
   * Bytes that all uploads together aim not to gather more than: with many uploads each gets its share, but at least
   * 64 KiB. Default 2 MiB.
   */
  readonly total?: number
}

/** Options of {@link createHandler}. Times are in milliseconds, sizes in bytes. */
export interface HandlerOptions {
  /**
   * The path of the creation URL, for example `/files`: the whole path as it reaches the server, with the prefixes of all
   * routers. Uploads live below it. Required.
   */
  readonly basePath: string
  /** The stores. Required; a DataStore and an InfoStore must be among them. */
  readonly composer: StoreComposer
  /**
   * The most bytes an upload may have, or a function that says so: per creation, with the record as it would be, or
   * for `Tus-Max-Size`, without one. Fixed for the life of each upload. Absent: what the store can hold.
   */
  readonly maxSize?:
    | number
    | ((request: IncomingMessage, upload: UnplacedUpload | undefined) => number | Promise<number>)
  /**
   * The least bytes that are worth more than one request, for clients of the IETF draft. A smaller upload must come whole
   * with its creation, and cannot be resumed. Default 0.
   */
  readonly minSize?: number
  /**
   * The most bytes that one request may bring, for example because of a proxy. Larger bodies are refused with 413. Default:
   * no limit but those of the upload.
   */
  readonly maxAppendSize?: number
  /**
   * The least bytes that a request must bring unless it is empty or completes an upload. Smaller bodies are refused with
   * 400. Default 0.
   */
  readonly minAppendSize?: number
  /**
   * Maximum number of partial uploads in one final upload. A partial upload that a client lists several times counts
   * each time, because each time its bytes are copied. Further ones are refused with `ERR_TOO_MANY_PARTIALS`. Default
   * 100.
   */
  readonly maxPartials?: number
  /**
   * Maximum number of unfinished final uploads that may wait for one partial upload. Further ones are refused with
   * `ERR_TOO_MANY_FINALS`. Default 100.
   */
  readonly maxFinals?: number
  /**
   * The key in `Upload-Metadata` by which clients of tus give a digest of the whole file: the name of an algorithm, a
   * space, and the digest in Base64 or hexadecimal digits. The content is read again when it is complete, and rejected
   * with `ERR_DIGEST_MISMATCH` when it differs. Needs a store with a ContentReader. Default: none is verified.
   */
  readonly checksumMetadata?: string
  /** Makes the id of a new upload; see `isUploadId` for the form. Default: a random UUID without its dashes. */
  readonly generateId?: (request: IncomingMessage) => string | Promise<string>
  /**
   * The form of the `Location` of a new upload. `relative`: a path, which is right behind every proxy that keeps
   * paths. `absolute`: with the scheme and host of the request. A URL: this one with the id added. Default
   * `relative`.
   */
  readonly location?: 'relative' | 'absolute' | (string & {})
  /**
   * Whether `Forwarded` and `X-Forwarded-*` headers are believed, for absolute Locations. `true`: the whole chain; a
   * number: so many proxies, counted from the server. Default `false`.
   */
  readonly trustProxy?: TrustProxy
  /**
   * Whether clients of the IETF draft are told by `104` interim responses where an upload is, before its first byte is
   * read, and how far it is. Clients such as URLSession can resume only then; but there are proxies that take a `104`
   * for the final response, and break the upload. Default `false`.
   */
  readonly interimResponses?: boolean
  /**
   * Chooses how a finished upload is presented, for each GET that downloads it, after the `access` hook has agreed. When it
   * throws, takes longer than `hookTimeout` or returns what cannot be sent, the request gets 500 `ERR_HOOK_FAILED`. Absent:
   * the defaults of {@link DownloadPresentation}.
   */
  readonly download?: PresentDownload
  /** Access from pages of other origins. `true`: from everywhere, without credentials. Default `false`. */
  readonly cors?: boolean | CorsOptions
  /** When uploads expire. Absent: never. Needs an info store with an ExpiryIndex. */
  readonly expiration?: ExpirationOptions
  /** Features not to offer although the stores could. Requests that use them are refused. Default: none. */
  readonly disable?: readonly Feature[]
  /**
   * How long a request may send nothing before a HEAD of the same upload ends it to learn the offset. Counted only
   * while the server waits for the client. Default 1,000.
   */
  readonly takeoverAfter?: number
  /**
   * How long a request may send nothing before it is ended; counted likewise. Also how long nothing of a response may move,
   * because the client does not read or the store yields nothing, before the response is cut: the connection over HTTP/1,
   * the stream over HTTP/2. Default 60,000.
   */
  readonly idleTimeout?: number
  /** How long a request waits for the upload's lock before it is answered 423. Default 15,000. */
  readonly lockTimeout?: number
  /**
   * How long a HEAD waits until a request that is being received has ended or shown that its client lives, and for a
   * holder in another process. Then it reports what is stored beside the writer. Default 200.
   */
  readonly settleTimeout?: number
  /**
   * How long a store may take to store what it was given once the body has ended. Then its signal aborts and the request is answered
   * 503 `ERR_FLUSH_TIMEOUT`, whether the store listens or not; the lock stays until the store is done. Default 10,000.
   */
  readonly flushTimeout?: number
  /**
   * How long one small call to a store may take: to look, to create, to open, to remove, to read and write a record, to
   * give a lock back. Then its signal aborts, and the request is answered 503 `ERR_STORAGE_UNAVAILABLE`, or 423 for HEAD of
   * tus, whether the store listens or not; the lock stays until a change has settled. Default 15,000: longer than the
   * `roomTimeout` of a LimitedStore, shorter than the patience of usual proxies.
   */
  readonly storeTimeout?: number
  /**
   * How long a request waits for an upload to be finished or concatenated; then it is answered, and the work goes
   * on. Default 30,000.
   */
  readonly finishTimeout?: number
  /**
   * How long a hook may take, and the functions `maxSize`, `generateId` and `download`. Then its signal aborts. `access`, the
   * `pre-` hooks and the functions have failed: the request is answered 500 `ERR_HOOK_FAILED`, and a verdict that comes later is ignored. A `post-` hook is
   * logged, and the next event follows. Not for `preFinish`. Default 30,000.
   */
  readonly hookTimeout?: number
  /**
   * How long `preFinish` may take, likewise. The upload stays locked meanwhile, and is asked about again by the next request.
   * Default: no limit, for a scan may take ten minutes.
   */
  readonly preFinishTimeout?: number
  /** How long the verdict on a rejected upload is kept. Default 24 hours. */
  readonly verdictRetention?: number
  /** Memory for bytes between the network and the store. */
  readonly bodyBuffer?: BodyBufferOptions
  /**
   * The least time between two `post-receive` hooks of an upload, and between two `104` interim responses that tell how
   * far it is. Default 1,000.
   */
  readonly progressInterval?: number
  /** Takes messages. Default: errors and warnings go to the console. */
  readonly logger?: Logger
  /** The application's functions in the life of uploads. */
  readonly hooks?: Hooks
}
