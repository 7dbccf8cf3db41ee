export { ExecHooks, type ExecHooksOptions } from './exec-hooks.js'
export type { HookFormat, HookFormatOptions } from '../hook-formats/format-hook-call.js'
