import type { IncomingMessage } from 'node:http'
import type { Feature } from './features.js'
import type { HookBackend } from './hook-backend.js'
import type { HookOutbox } from './hook-outbox.js'
import type { Hooks, PresentDownload } from './hooks.js'
import type { CorsOptions } from './http/cors.js'
import type { TrustProxy } from './http/trust-proxy.js'
import type { Logger } from './logger.js'
import type { StoreComposer } from './store-composer.js'
import type { UnplacedUpload } from './upload.js'

/** Times at which uploads expire. At least one of `after` and `finishedAfter` is required. */
export interface ExpirationOptions {
  /**
   * Milliseconds from the creation of an unfinished upload to its expiry. An upload that receives
   * data when less than half of this time is left gets the whole time again.
   * @default unfinished uploads do not expire
   */
  readonly after?: number
  /**
   * Milliseconds from the end of a finished upload to its removal, for servers that only pass files
   * on. The time counts from the record of finishing. With this option every upload gets such a
   * record. Uploads that were finished without the option stay.
   * @default finished uploads do not expire
   */
  readonly finishedAfter?: number
  /**
   * Milliseconds between two runs of `uploads.removeExpired()` by a timer of the handler. The timer
   * does not keep the process alive.
   * @default no timer: call `uploads.removeExpired()` yourself
   */
  readonly sweepEvery?: number
}

/** Memory for bytes between the network and the store. */
export interface BodyBufferOptions {
  /**
   * Bytes that one upload may buffer while the store is busy. The store may hold the same amount
   * again. At least 65,536 (64 KiB).
   * @default 1_048_576 (1 MiB)
   */
  readonly perUpload?: number
  /**
   * Soft limit in bytes for the buffers of all active uploads together. Each gets an equal share,
   * at least 64 KiB.
   * @default 2_097_152 (2 MiB)
   */
  readonly total?: number
}

/** Options of {@link createHandler}. Times are in milliseconds, sizes in bytes. */
export interface HandlerOptions {
  /**
   * The path of the creation URL, such as `/files`. Give the whole path as it reaches the server,
   * with the prefixes of all routers. Uploads live directly below it. Required.
   */
  readonly basePath: string
  /** The stores. At least a DataStore and an InfoStore are required. */
  readonly composer: StoreComposer
  /**
   * Maximum size of an upload, or a function that returns it. The function is called for each
   * creation with the record as it would be, and for `Tus-Max-Size` with `undefined`. The limit is
   * fixed at creation. The limit of the store always holds too.
   * @default Infinity: only the limit of the store holds
   */
  readonly maxSize?:
    | number
    | ((request: IncomingMessage, upload: UnplacedUpload | undefined) => number | Promise<number>)
  /**
   * Smallest upload that clients of the IETF draft may split across several requests. A smaller one
   * must arrive whole with its creation, and cannot be resumed. At most `maxSize` and
   * `maxAppendSize`.
   * @default 0
   */
  readonly minSize?: number
  /**
   * Maximum size of one request body. Set it when a proxy limits requests. Larger bodies are
   * refused with 413 `ERR_APPEND_TOO_LARGE`.
   * @default no limit but those of the upload
   */
  readonly maxAppendSize?: number
  /**
   * Minimum size of one request body. Empty bodies and the last one of an upload are exempt.
   * Smaller bodies are refused with 400 `ERR_APPEND_TOO_SMALL`. At most `maxAppendSize`.
   * @default 0
   */
  readonly minAppendSize?: number
  /**
   * Maximum number of partial uploads in one final upload. A partial upload that is listed several
   * times counts each time, because its bytes are copied each time. A longer list is refused with
   * 400 `ERR_TOO_MANY_PARTIALS`.
   * @default 100
   */
  readonly maxPartials?: number
  /**
   * Maximum number of unfinished final uploads that may wait for one partial upload. One more is
   * refused with 400 `ERR_TOO_MANY_FINALS`.
   * @default 100
   */
  readonly maxFinals?: number
  /**
   * The key in `Upload-Metadata` under which tus clients send a digest of the whole file: the name
   * of an algorithm, a space, and the digest in Base64 or hexadecimal digits. The complete content
   * is read again, and rejected with `ERR_DIGEST_MISMATCH` if it differs. Needs a store with a
   * ContentReader.
   * @default no digest of the whole file is verified for tus clients
   */
  readonly checksumMetadata?: string
  /**
   * Returns the id of a new upload. See `isUploadId` for the form. Ids should not be
   * guessable.
   * @default a random UUID without its dashes
   */
  readonly generateId?: (request: IncomingMessage) => string | Promise<string>
  /**
   * The form of `Location` in responses to creations. `relative` gives a path, which is right
   * behind every proxy that keeps paths and host. `absolute` gives a URL with the scheme and host
   * of the request. A URL is used with the id added.
   * @default 'relative'
   */
  readonly location?: 'relative' | 'absolute' | (string & {})
  /**
   * Whether to trust `Forwarded` and `X-Forwarded-*` headers. `true` trusts every proxy. A number
   * trusts that many proxies, counting from this server. A list trusts the proxies with these
   * addresses, in CIDR notation or alone; `unix:` stands for a Unix domain socket. The headers give
   * absolute locations their scheme and host, and all locations the prefix that a proxy removed.
   * @default false
   */
  readonly trustProxy?: TrustProxy
  /**
   * Whether clients of the IETF draft get `104` interim responses: the location before the first
   * byte is read, then how much is stored. Clients such as URLSession can resume only with them.
   * But some proxies take a `104` for the final response, and then the upload fails.
   * @default false
   */
  readonly interimResponses?: boolean
  /**
   * Chooses how a finished upload is presented. Called for each GET that downloads one, after the
   * `access` hook has allowed it. If it throws, takes longer than `hookTimeout` or returns
   * something that cannot be sent, the request gets 500 `ERR_HOOK_FAILED`.
   * @default the defaults of {@link DownloadPresentation}
   */
  readonly download?: PresentDownload
  /**
   * Access for pages from other origins. `true` allows all origins, without credentials.
   * @default false
   */
  readonly cors?: boolean | CorsOptions
  /**
   * Times at which uploads expire. Needs an info store with an ExpiryIndex.
   * @default uploads do not expire
   */
  readonly expiration?: ExpirationOptions
  /**
   * Features that the handler does not offer, even if the stores could. Features that depend on a
   * disabled one are disabled too. Requests that use a disabled feature are refused.
   * @default []
   */
  readonly disable?: readonly Feature[]
  /**
   * How long a request may send nothing before a HEAD of the same upload ends it to learn the
   * offset. The time counts only while the server waits for the client.
   * @default 1_000
   */
  readonly takeoverAfter?: number
  /**
   * How long a request may send nothing before the server ends it. The time counts only while the
   * server waits for the client. The option also limits how long a response may make no progress,
   * because the client does not read or the store yields nothing. Then the connection is closed
   * over HTTP/1, and the stream is reset over HTTP/2.
   * @default 60_000
   */
  readonly idleTimeout?: number
  /**
   * How long a request waits for the upload's lock. Then it gets 423 `ERR_UPLOAD_LOCKED`.
   * @default 15_000
   */
  readonly lockTimeout?: number
  /**
   * How long a HEAD waits before it reports what is stored while a writer continues. It waits until
   * a request that is being received has ended or shown that its client lives, or for a holder in
   * another process. If the store still holds back bytes of a silent client, it waits for
   * `takeoverAfter` instead.
   * @default 200
   */
  readonly settleTimeout?: number
  /**
   * How long a store may take to store what it was given once the body has ended. Then its signal
   * aborts and the request gets 503 `ERR_FLUSH_TIMEOUT`, whether the store heeds the signal or not.
   * The upload stays locked until the store is done.
   * @default 10_000
   */
  readonly flushTimeout?: number
  /**
   * How long one small call to a store may take: to look, create, open, remove, read or write a
   * record, or release a lock. Then its signal aborts and the request gets 503
   * `ERR_STORAGE_UNAVAILABLE`, or 423 for a tus HEAD, whether the store heeds the signal or not.
   * The upload stays locked until a change has settled. The default is longer than the
   * `spaceTimeout` of a LimitedStore, and shorter than proxies usually wait.
   * @default 15_000
   */
  readonly storeTimeout?: number
  /**
   * How long a request waits for an upload to be finished or concatenated. Then it gets 503
   * `ERR_UPLOAD_BUSY`, or 423 for a tus HEAD, and the work continues. The creation of a final
   * upload gets 201 without an offset instead.
   * @default 30_000
   */
  readonly finishTimeout?: number
  /**
   * How long a hook may take, or a call of `maxSize`, `generateId` or `download`. Then its signal
   * aborts. If `access`, a `pre-` hook or one of the functions takes longer, the request gets 500
   * `ERR_HOOK_FAILED`, and a later result is ignored. A `post-` hook that takes longer is logged,
   * and the next event follows. Does not apply to `preFinish`.
   * @default 30_000
   */
  readonly hookTimeout?: number
  /**
   * How long `preFinish` may take. Then the request gets 500 `ERR_HOOK_FAILED`, and the next
   * request calls the hook again. The upload stays locked meanwhile. A request waits for it no
   * longer than `finishTimeout`.
   * @default Infinity, because a scan may take ten minutes
   */
  readonly preFinishTimeout?: number
  /**
   * How long the verdict on a rejected upload is kept.
   * @default 86_400_000 (24 hours)
   */
  readonly verdictRetention?: number
  /**
   * Memory for bytes between the network and the store.
   * @default the defaults of {@link BodyBufferOptions}
   */
  readonly bodyBuffer?: BodyBufferOptions
  /**
   * Minimum time between two `postReceive` hooks of an upload, and between two `104` interim
   * responses that report progress.
   * @default 1_000
   */
  readonly progressInterval?: number
  /**
   * Receives messages.
   * @default errors and warnings go to the console
   */
  readonly logger?: Logger
  /**
   * Callbacks that run at defined points in an upload's life, or a backend that handles events
   * elsewhere. Those of a list run in its order: see {@link Hooks}.
   * @default []
   */
  readonly hooks?: Hooks | HookBackend | readonly (Hooks | HookBackend)[]
  /**
   * Keeps `post-create`, `post-finish` and `post-terminate` until all hooks have taken them, across
   * crashes: each arrives at least once, in order for one upload. Hooks that fail are called again,
   * after waits that grow from 1 s to 5 min.
   * @default each event is passed to each hook once, and lost with the process
   */
  readonly outbox?: HookOutbox
  /**
   * How long an event is kept in the outbox while a hook fails. Then it is given up.
   * @default 86_400_000 (a day)
   */
  readonly outboxRetention?: number
}
