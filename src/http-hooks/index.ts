export { HttpHooks, type HttpHooksOptions } from './http-hooks.js'
export type { HookFormat, HookFormatOptions } from '../hook-formats/format-hook-call.js'
