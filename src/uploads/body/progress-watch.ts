import { isTusError } from '../../errors.js'
import type { FinalResponse } from '../../upload.js'
import { callHook, beRejection, refusal } from '../hooks/call-hook.js'
import type { Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { withoutSecret } from '../record/without-secret.js'

/** Tells the post-receive hook how far an upload is, while bytes come in. */
export interface ProgressWatch {
  /** Ends the watch, after the hook that runs or its time limit. */
  end(): Promise<void>
  /** The answer of a hook that stopped the upload. */
  readonly verdict: FinalResponse | undefined
}

/** Starts to watch. `stop` is called when a hook says that the upload shall end. */
export function watchProgress(
  engine: Engine,
  holder: Holder,
  exchange: Exchange,
  stop: () => void,
): ProgressWatch {
  if (engine.hooks.postReceive === undefined) return { end: async () => {}, verdict: undefined }
  const { id } = holder.upload
  let told = holder.durable
  let running: Promise<void> | undefined
  let verdict: FinalResponse | undefined

  const tell = async (offset: number): Promise<void> => {
    const event = { type: 'post-receive', id: `${id}/post-receive/${offset}` } as const
    const upload = withoutSecret(holder.upload)
    const context = { event, upload, offset, request: exchange.request }
    try {
      const answer = await callHook(engine.hookLimit, { stop: beRejection }, context, (asked) =>
        engine.hooks.postReceive!(asked),
      )
      if (!answer.stop) return
      const { status, headers, message } = refusal('ERR_REJECTED', answer.stop)
      verdict = { status, headers, body: message }
      stop()
    } catch (error) {
      const cause = isTusError(error, 'ERR_HOOK_FAILED') ? error.cause : error
      engine.log.error('The hook post-receive failed', { uploadId: id, error: cause })
    }
  }

  const timer = setInterval(() => {
    const offset = holder.durable
    if (running !== undefined || verdict !== undefined || offset === told) return
    told = offset
    running = engine.events
      .add(id, () => tell(offset!))
      .finally(() => {
        running = undefined
      })
  }, engine.settings.progressInterval)

  return {
    async end() {
      clearInterval(timer)
      await running
    },
    get verdict() {
      return verdict
    },
  }
}
