import type { Hooks } from '../../hooks.js'

/** The hooks that run after the fact, by the type of their event. */
export const listeners = {
  'post-create': 'postCreate',
  'post-finish': 'postFinish',
  'post-terminate': 'postTerminate',
} as const satisfies { [type: string]: keyof Hooks }

/** Something that happens to an upload. */
export interface Fact {
  readonly type: keyof typeof listeners
  /** Bytes that are stored. */
  readonly offset: number
}
