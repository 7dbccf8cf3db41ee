export type { SlotName } from './slots.js'
export type {
  ConformanceOptions,
  EndFault,
  Place,
  StorageFault,
  Subject,
} from './conformance-options.js'
export { conformanceSuite } from './conformance-suite.js'
