// The handler
export { createHandler, type Handler } from './create-handler.js'
export type { Uploads } from './create-uploads.js'
export type { StopOptions } from './stop-options.js'
export {
  createUploadServer,
  type UploadServer,
  type UploadServerOptions,
} from './create-upload-server.js'
export type { BodyBufferOptions, ExpirationOptions, HandlerOptions } from './handler-options.js'
export type { Feature } from './features.js'
export type { CorsOptions } from './http/cors.js'
export type { TrustProxy } from './http/trust-proxy.js'
export type { Logger } from './logger.js'
export type { Inspection } from './uploads/inspect.js'
export type { ListedUpload, ListUploadsOptions } from './uploads/list.js'
export type { Content } from './uploads/read.js'
export { StoreComposer, type ComposerPart, type StoreSlots } from './store-composer.js'

// Hooks
export type { HookBackend, HookCall, HookReply } from './hook-backend.js'
export type { HookOutbox, OutboxEntry } from './hook-outbox.js'
export type { HookRequest } from './hook-request.js'
export type {
  AccessAction,
  AccessContext,
  DownloadContext,
  DownloadPresentation,
  HookContext,
  HookEvent,
  HookResponse,
  Hooks,
  HookType,
  PostReceiveVerdict,
  PreCreateContext,
  PreCreateVerdict,
  PreFinishVerdict,
  PreTerminateVerdict,
  PresentDownload,
  RejectVerdict,
} from './hooks.js'

// Moving uploads to other stores
export { migrateData, type MigrateDataOptions } from './migration/migrate-data.js'
export { migrateInfo, type MigrateInfoOptions } from './migration/migrate-info.js'
export type { Migrated } from './migration/migrated.js'

// Names of files
export { safeFileName, type SafeFileNameOptions } from './safe-file-name.js'

// The record of an upload
export { metadataOf } from './metadata.js'
export { parseUpload, serializeUpload } from './parse-upload.js'
export {
  isUploadId,
  type Concat,
  type Digests,
  type Json,
  type Metadata,
  type RecordedResponse,
  type Representation,
  type StorageRef,
  type UnplacedUpload,
  type Upload,
  type UploadState,
} from './upload.js'

// Errors
export { errors, type ErrorCode } from './error-codes.js'
export { isTusError, TusError, type TusErrorOptions } from './errors.js'

// The contracts of stores and lockers
export type { Concatenator } from './capabilities/concatenator.js'
export type { ByteRange, ContentReader } from './capabilities/content-reader.js'
export type { DataStore, Stat } from './capabilities/data-store.js'
export type { ExpiryIndex } from './capabilities/expiry-index.js'
export type { Finisher } from './capabilities/finisher.js'
export type { InfoLister, ListOptions } from './capabilities/info-lister.js'
export type { InfoStore } from './capabilities/info-store.js'
export type { Lifecycle } from './capabilities/lifecycle.js'
export type { AcquireOptions, Fence, Lock, LockRequester, Locker } from './capabilities/locker.js'
export type {
  AppendOptions,
  ChangeOptions,
  CreateOptions,
  ReadOptions,
  WriteOptions,
} from './capabilities/call-options.js'
export type { Terminator } from './capabilities/terminator.js'
export type { UploadBody } from './capabilities/upload-body.js'
export type { VerifiedAppender } from './capabilities/verified-appender.js'
