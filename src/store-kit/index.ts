// For every change
export { assertMayChange } from './assert-may-change.js'
export { storageError, type Meanings } from './storage-error.js'
export { translated } from './translated.js'

// For data stores
export { eachBatch } from './each-batch.js'
export { segments, type SegmentsOptions } from './segments.js'
export { contentStream, type ContentStreamOptions } from './content-stream.js'

// For info stores
export { parseUpload, serializeUpload } from '../parse-upload.js'
export { assertNextRevision } from './assert-next-revision.js'

// For tests
export { TcpProxy, type TcpBreak, type TcpDirection, type TcpProxyOptions } from './tcp-proxy.js'
