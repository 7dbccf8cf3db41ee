// For all of them
export { checkOptions, must, type OptionOwner, type OptionRule } from '../check-options.js'
export { assertMayChange } from './assert-may-change.js'
export { storageError, type Meanings } from './storage-error.js'
export { translated } from './translated.js'
export { retry, type RetryOptions } from './retry.js'
export { unlessAborted } from '../unless-aborted.js'

// For data stores
export { eachBatch } from './each-batch.js'
export { segments, type SegmentsOptions } from './segments.js'
export { spool, type Spool, type SpoolOptions } from './spool.js'
export { contentStream, type ContentStreamOptions } from './content-stream.js'

// For info stores
export { parseUpload, serializeUpload } from '../parse-upload.js'
export { assertNextRevision } from './assert-next-revision.js'

// For lockers
export { Lease, type LeaseOptions } from '../lockers/lease.js'
export { LeaseLocker, type LeaseLockerOptions } from '../lockers/lease-locker.js'
export type { HeldLock, ReservedLock, SharedLocks, TakenLock } from '../lockers/shared-locks.js'

// For tests
export { TcpProxy, type TcpBreak, type TcpDirection, type TcpProxyOptions } from './tcp-proxy.js'
