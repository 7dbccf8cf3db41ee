export type { SlotName } from './slots.js'
export type { ConformanceOptions, EndFault, StorageFault, Subject } from './conformance-options.js'
export { conformanceSuite } from './conformance-suite.js'
