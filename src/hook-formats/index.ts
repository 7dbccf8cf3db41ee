export {
  formatHookCall,
  hookFormatRules,
  hookFormats,
  type HookFormat,
  type HookFormatOptions,
} from './format-hook-call.js'
export { parseHookReply } from './parse-hook-reply.js'
export { usualEvents } from './usual-events.js'
export { hookTypes } from '../hooks.js'
