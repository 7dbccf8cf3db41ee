export { MemoryInfoStore } from './memory-info-store.js'
export { MemoryLocker } from '../lockers/memory-locker.js'
export { MemoryStore, type MemoryStoreOptions } from './memory-store.js'
