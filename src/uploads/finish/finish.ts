import diagnostics from 'node:diagnostics_channel'
import type { Stat } from '../../capabilities/data-store.js'
import { TusError } from '../../errors.js'
import { must } from '../../check-options.js'
import type { FinalResponse } from '../../upload.js'
import { callHook, beRejection, refusal } from '../hooks/call-hook.js'
import { isoTime, type Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import type { Holder } from '../lock/holder.js'
import { finalResponse } from '../hooks/hook-response.js'
import { hookEvent, reject, transition, writeOptions } from '../record/transition.js'
import { verifyContent } from '../digests/verify-content.js'
import { withoutSecret } from '../record/without-secret.js'

const finishChannel = diagnostics.channel('tuskit:finish')

/**
 * Finishes an upload whose bytes are all stored: finisher, digests, pre-finish, record. After a failure or a crash it is done
 * again from the start, until the record says that it succeeded.
 */
export async function finish(
  engine: Engine,
  holder: Holder,
  from: Stat,
  exchange: Exchange,
): Promise<void> {
  const started = performance.now()
  await engine.stores.finisher?.finish(holder.upload, from, writeOptions(engine, holder))
  const digests = await verifyContent(engine, holder)
  const partial = holder.upload.concat?.kind === 'partial'
  const response = partial ? undefined : await askPreFinish(engine, holder, exchange)
  const state = {
    kind: 'finished',
    at: isoTime(0),
    ...(response && { response }),
    ...(digests && { digests }),
  } as const
  const events = partial ? [] : (['post-finish'] as const)
  const { finishedAfter } = engine.settings
  const expiresAt = finishedAfter === undefined ? undefined : isoTime(finishedAfter)
  await transition(engine, holder, { state, expiresAt }, events, exchange)
  if (finishChannel.hasSubscribers) {
    const milliseconds = performance.now() - started
    finishChannel.publish({ uploadId: holder.upload.id, milliseconds })
  }
}

async function askPreFinish(
  engine: Engine,
  holder: Holder,
  { request }: Exchange,
): Promise<FinalResponse | undefined> {
  const { hooks } = engine
  if (hooks.preFinish === undefined) return undefined
  const upload = withoutSecret(holder.upload)
  await engine.events.passed(upload.id)
  // A process that was suspended is not the one that decides any more.
  if (!holder.lock.held()) throw new TusError('ERR_LOCK_LOST')
  const event = hookEvent(upload.id, 'pre-finish')
  const verdict = await callHook(
    engine.preFinishLimit,
    { reject: beRejection, response: must.beObject },
    { event, upload, request },
    (context) => hooks.preFinish!(context),
  )
  if (verdict.reject) {
    const { status, headers, message } = refusal('ERR_REJECTED', verdict.reject)
    await reject(engine, holder, { status, headers, body: message })
  }
  return verdict.response && finalResponse(verdict.response, { status: 0 }, 299)
}
