export type { SlotName } from './slots.js'
export type { ConformanceOptions, Subject } from './conformance-options.js'
export { conformanceSuite } from './conformance-suite.js'
