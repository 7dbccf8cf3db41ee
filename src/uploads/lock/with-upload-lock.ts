import diagnostics from 'node:diagnostics_channel'
import type { ErrorCode } from '../../error-codes.js'
import { TusError } from '../../errors.js'
import { inBackground, type Engine } from '../engine.js'
import { Holder } from './holder.js'

const lockChannel = diagnostics.channel('tuskit:lock')

/** How to wait for a lock. */
export interface WaitOptions {
  readonly milliseconds: number
  /** The error when the lock is not acquired in time. */
  readonly errorCode: ErrorCode
}

/**
 * Runs `operation` under the lock of an upload. The lock is released when the operation has ended
 * and everything that it passed to {@link Holder.keep} has settled.
 */
export async function withUploadLock<T>(
  engine: Engine,
  id: string,
  operation: (holder: Holder) => Promise<T>,
  wait: WaitOptions = {
    milliseconds: engine.settings.lockTimeout,
    errorCode: 'ERR_UPLOAD_LOCKED',
  },
): Promise<T> {
  const holder = await acquire(engine, id, wait)
  engine.holders.set(id, holder)
  try {
    return await operation(holder)
  } finally {
    const released = release(engine, id, holder)
    inBackground(engine, 'The release of a lock', released)
    if (!holder.keeps) await released
  }
}

async function acquire(engine: Engine, id: string, wait: WaitOptions): Promise<Holder> {
  const started = performance.now()
  const waiting = new AbortController()
  const timer = setTimeout(() => waiting.abort(new TusError(wait.errorCode)), wait.milliseconds)
  const holder = new Holder(engine)
  try {
    const { signal } = waiting
    const { requestRelease } = holder
    holder.own(await engine.stores.locker.acquire(id, { signal, requestRelease }))
  } finally {
    clearTimeout(timer)
    if (lockChannel.hasSubscribers) {
      lockChannel.publish({ uploadId: id, milliseconds: performance.now() - started })
    }
  }
  return holder
}

/** Releases the lock as soon as nothing needs it any more. Never rejects. */
async function release(engine: Engine, id: string, holder: Holder): Promise<void> {
  await holder.settled()
  if (engine.holders.get(id) === holder) engine.holders.delete(id)
  try {
    await engine.stores.locker.release(id, holder.lock)
  } catch (error) {
    engine.log.error('A lock could not be released', { uploadId: id, error })
  }
  holder.end()
}
