export type {
  AdoptableBucket,
  AdoptableObjects,
  AdoptableRecord,
  FoundData,
  HooksContext,
  MakeHooks,
  MakePart,
  OpenAdoptable,
  PartContext,
  Plugin,
} from './parts/plugin.js'
