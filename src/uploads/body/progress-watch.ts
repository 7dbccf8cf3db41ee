import { isTusError } from '../../errors.js'
import type { RecordedResponse } from '../../upload.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { beRejection, callHook } from '../hooks/call-hook.js'
import { hookRejection } from '../hooks/hook-response.js'
import type { Holder } from '../lock/holder.js'
import { withoutSecret } from '../record/without-secret.js'

/** Reports the progress of an upload to the post-receive hooks while bytes come in. */
export interface ProgressWatch {
  /** Ends the watch once the running hooks have returned or have reached their time limit. */
  end(): Promise<void>
  /** The response of a hook that stopped the upload. */
  readonly stopResponse: RecordedResponse | undefined
}

const noWatch: ProgressWatch = { end: async () => {}, stopResponse: undefined }

/** Starts to watch. `stop` is called when a hook ends the upload. */
export function watchProgress(
  engine: Engine,
  holder: Holder,
  exchange: Exchange,
  stop: () => void,
): ProgressWatch {
  if (engine.hooks.postReceive.length === 0) return noWatch
  const { id } = holder.upload
  let lastReported = holder.durable
  let running: Promise<void> | undefined
  let stopResponse: RecordedResponse | undefined

  const isCaughtUp = async (): Promise<boolean> => {
    try {
      return (await engine.deliveries?.caughtUp(id)) ?? true
    } catch (error) {
      engine.log.error('The outbox cannot be read', { uploadId: id, error })
      return false
    }
  }

  const report = async (offset: number): Promise<void> => {
    // The next report says more than one that would come before an earlier event.
    if (!(await isCaughtUp())) return
    const event = { type: 'post-receive', id: `${id}/post-receive/${offset}` } as const
    const upload = withoutSecret(holder.upload)
    const context = { event, upload, offset, request: exchange.request }
    for (const hook of engine.hooks.postReceive) {
      try {
        const verdict = await callHook(engine.hookLimit, { stop: beRejection }, context, hook)
        if (!verdict.stop || stopResponse !== undefined) continue
        const { status, headers, message } = hookRejection('ERR_REJECTED', verdict.stop)
        stopResponse = { status, headers, body: message }
        stop()
      } catch (error) {
        const cause = isTusError(error, 'ERR_HOOK_FAILED') ? error.cause : error
        engine.log.error('The hook post-receive failed', { uploadId: id, error: cause })
      }
    }
  }

  const timer = setInterval(() => {
    const offset = holder.durable
    if (running !== undefined || stopResponse !== undefined || offset === lastReported) return
    lastReported = offset
    running = engine.events
      .add(id, () => report(offset!))
      .finally(() => {
        running = undefined
      })
  }, engine.settings.progressInterval)

  return {
    async end() {
      clearInterval(timer)
      await running
    },
    get stopResponse() {
      return stopResponse
    },
  }
}
