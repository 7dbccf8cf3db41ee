export { FileInfoStore, type FileInfoStoreOptions } from './file-info-store.js'
export { FileLocker, type FileLockerOptions } from './file-locker.js'
export { FileStore, type FileStoreOptions } from './file-store.js'
