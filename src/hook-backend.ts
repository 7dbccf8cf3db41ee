import type { ReadOptions } from './capabilities/call-options.js'
import type { Lifecycle } from './capabilities/lifecycle.js'
import type {
  AccessAction,
  HookEvent,
  HookType,
  PostReceiveVerdict,
  PreCreateVerdict,
  PreFinishVerdict,
} from './hooks.js'
import type { HookRequest } from './hook-request.js'
import type { UnplacedUpload, Upload } from './upload.js'

/** An event as plain data, which can be sent, stored, and sent again. */
export interface HookCall {
  readonly event: HookEvent
  /**
   * The record at this moment. It has no `storage` before the upload exists. Absent for `access`
   * when a request wants to create an upload.
   */
  readonly upload: Upload | UnplacedUpload | undefined
  /** Bytes that are stored. 0 for `access`, which does not know. */
  readonly offset: number
  /** The action that a request wants to do. Only for `access`. */
  readonly action?: AccessAction
  /** Absent when no request is the cause. */
  readonly request: HookRequest | undefined
}

/**
 * The decision of a backend. Each event has its own members: those of the result of the hook with
 * its name. Any other member makes the hook fail.
 */
export type HookReply = PreCreateVerdict & PostReceiveVerdict & PreFinishVerdict

/**
 * Handles events in one method, for hooks that live elsewhere: in another program, behind a URL, in
 * a message queue. It may be an item of the option `hooks`, as objects of functions are.
 *
 * If it has `open` and `close`, they are called as those of a store are: see {@link Lifecycle}. Use
 * `open` to show that the backend can be reached. With an outbox, one that handles only `post-`
 * events is opened before its first event.
 */
export interface HookBackend extends Partial<Lifecycle> {
  /** The events that it handles. No others are passed to it. */
  readonly events: readonly HookType[]
  /**
   * Handles an event. The rules are those of {@link Hooks}: rejects when it cannot decide, and its
   * result is ignored for `post-` events other than `post-receive`. The signal aborts when it takes
   * longer than `hookTimeout`, or `preFinishTimeout` for `pre-finish`.
   */
  call(call: HookCall, options: ReadOptions): HookReply | void | Promise<HookReply | void>
}
