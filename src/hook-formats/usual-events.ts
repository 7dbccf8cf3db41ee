import { hookTypes, type HookType } from '../hooks.js'

/** The events that tusd sends unless others are named. Each of the others makes requests wait. */
export const usualEvents: readonly HookType[] = hookTypes.filter(
  (type) => !['access', 'pre-finish', 'pre-terminate'].includes(type),
)
