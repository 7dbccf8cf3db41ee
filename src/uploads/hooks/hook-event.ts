import type { HookEvent, HookType } from '../../hooks.js'

/**
 * Creates the event of a moment in an upload's life. Its id is derived, so that it is the same
 * after a crash.
 */
export function hookEvent(uploadId: string, type: HookType): HookEvent {
  return { type, id: `${uploadId}/${type}` }
}
