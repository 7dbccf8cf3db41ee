import diagnostics from 'node:diagnostics_channel'
import type { Stat } from '../../capabilities/data-store.js'
import { must } from '../../check-options.js'
import { TusError } from '../../errors.js'
import type { PreFinishVerdict } from '../../hooks.js'
import type { RecordedResponse } from '../../upload.js'
import { verifyContent } from '../digests/verify-content.js'
import { isoTime, type Engine } from '../engine.js'
import type { Exchange } from '../exchange.js'
import { beRejection, callHook } from '../hooks/call-hook.js'
import { hookEvent } from '../hooks/hook-event.js'
import { finalResponse, hookRejection } from '../hooks/hook-response.js'
import type { Holder } from '../lock/holder.js'
import { reject, transition, writeOptions } from '../record/transition.js'
import { withoutSecret } from '../record/without-secret.js'

const finishChannel = diagnostics.channel('tuskit:finish')

/**
 * Finishes an upload whose bytes are all stored: finisher, digests, pre-finish, record. After a
 * failure or a crash, all steps are repeated, until the record says that they succeeded.
 */
export async function finish(
  engine: Engine,
  holder: Holder,
  stored: Stat,
  exchange: Exchange,
): Promise<void> {
  const started = performance.now()
  await engine.stores.finisher?.finish(holder.upload, stored, writeOptions(engine, holder))
  const digests = await verifyContent(engine, holder)
  const partial = holder.upload.concat?.kind === 'partial'
  const response = partial ? undefined : await askPreFinish(engine, holder, stored, exchange)
  const state = {
    kind: 'finished',
    at: isoTime(0),
    ...(response && { response }),
    ...(digests && { digests }),
  } as const
  const facts = partial ? [] : ([{ type: 'post-finish', offset: stored.offset }] as const)
  const { finishedAfter } = engine.settings
  const expiresAt = finishedAfter === undefined ? undefined : isoTime(finishedAfter)
  await transition(engine, holder, { state, expiresAt }, facts, exchange)
  if (finishChannel.hasSubscribers) {
    const milliseconds = performance.now() - started
    finishChannel.publish({ uploadId: holder.upload.id, milliseconds })
  }
}

async function askPreFinish(
  engine: Engine,
  holder: Holder,
  { offset }: Stat,
  { request }: Exchange,
): Promise<RecordedResponse | undefined> {
  if (engine.hooks.preFinish.length === 0) return undefined
  const upload = withoutSecret(holder.upload)
  await engine.events.passed(upload.id)
  // If this process was suspended past its lease, another holder now owns the decision.
  if (!holder.lock.held()) throw new TusError('ERR_LOCK_LOST')
  const context = { event: hookEvent(upload.id, 'pre-finish'), upload, offset, request }
  const rules = { reject: beRejection, response: must.beObject }
  let response: RecordedResponse | undefined
  for (const hook of engine.hooks.preFinish) {
    const verdict = await callHook<PreFinishVerdict, typeof context>(
      engine.preFinishLimit,
      rules,
      context,
      hook,
    )
    if (verdict.reject) {
      const { status, headers, message } = hookRejection('ERR_REJECTED', verdict.reject)
      await reject(engine, holder, { status, headers, body: message })
    }
    if (verdict.response) response = finalResponse(verdict.response, {}, 299)
  }
  return response
}
