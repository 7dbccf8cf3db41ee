export type { HooksContext, MakeHooks, MakePart, PartContext, Plugin } from './parts/plugin.js'
