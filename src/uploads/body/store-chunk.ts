import diagnostics from 'node:diagnostics_channel'
import type { Stat } from '../../capabilities/data-store.js'
import { TusError } from '../../errors.js'
import type { Verifier } from '../digests/verifier.js'
import type { Engine } from '../engine.js'
import type { Holder } from '../lock/holder.js'
import { writeOptions } from '../record/transition.js'
import { checkStat } from '../stores/stat-upload.js'
import type { MeteredBody } from './metered-body.js'

const appendChannel = diagnostics.channel('tuskit:append')

/** Passes a body to the store and returns what is stored afterwards. */
export async function storeChunk(
  engine: Engine,
  holder: Holder,
  from: Stat,
  body: MeteredBody,
  verifier: Verifier | undefined,
): Promise<Stat> {
  const { upload } = holder
  const { dataStore, verifiedAppender } = engine.stores
  const started = performance.now()
  const options = writeOptions(engine, holder)
  try {
    if (body.expectsNothing) {
      await body.discard()
      await verifier?.accept()
      return from
    }
    if (verifier === undefined) {
      const storing = dataStore.append(upload, from, body, options)
      const stored = await inTime(engine, holder, body, storing)
      return checkStat('append', stored, from.offset, from.offset + body.given)
    }
    const accept = async () => !body.overran && (await verifier.accept())
    const storing = verifiedAppender!.appendVerified(upload, from, body, accept, options)
    const stored = await inTime(engine, holder, body, storing)
    return checkStat('appendVerified', stored, from.offset, from.offset + body.given)
  } finally {
    if (appendChannel.hasSubscribers) {
      const milliseconds = performance.now() - started
      appendChannel.publish({ uploadId: upload.id, from: from.offset, milliseconds })
    }
  }
}

/**
 * Waits for the store, unless it hangs. If the store requests no bytes for the longer of
 * `storeTimeout` and `idleTimeout`, the body is stopped. Once the body has ended, the store has
 * `flushTimeout` to settle. After that the request fails, but the lock is held until the store has
 * settled.
 */
function inTime(
  engine: Engine,
  holder: Holder,
  body: MeteredBody,
  appending: Stat | Promise<Stat>,
): Promise<Stat> {
  const { storeTimeout, idleTimeout, flushTimeout } = engine.settings
  const patience = Math.max(storeTimeout, idleTimeout)
  const storing = Promise.resolve(appending)
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    let settled = false
    const watch = (milliseconds: number) => {
      timer = setTimeout(() => {
        const left = patience - body.busyTime()
        if (left > 0) watch(left)
        else body.stop('unread')
      }, milliseconds)
    }
    const giveUp = () => {
      const { id } = holder.upload
      engine.log.error('A store does not respond', { call: 'append', uploadId: id, flushTimeout })
      const error = new TusError('ERR_FLUSH_TIMEOUT')
      holder.hang(storing)
      holder.abort(error)
      reject(error)
    }
    const settle = () => {
      settled = true
      clearTimeout(timer)
    }
    watch(patience)
    void body.ended.then(() => {
      clearTimeout(timer)
      if (!settled) timer = setTimeout(giveUp, flushTimeout)
    })
    storing.finally(settle).then(resolve, reject)
  })
}
