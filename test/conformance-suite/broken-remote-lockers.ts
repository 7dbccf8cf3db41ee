import { setImmediate as turn } from 'node:timers/promises'
import type { AcquireOptions, Lock, Locker } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'
import { databaseOf, databaseOptions } from './broken-record-faults.js'
import { changed, composed, type Broken } from './broken.js'
import { FakeDatabase } from './fake-database.js'
import { lockRowIn, RemoteLocker } from './remote-locker.js'

export const { signal: never } = new AbortController()
const lease = 300

/** The options that a suite needs for lockers on a fake database. */
export function remoteLockers(Class: typeof RemoteLocker, duration: number) {
  const composerOf = (database: FakeDatabase) =>
    composed({ locker: new Class(database, duration) }).composer
  return {
    slots: ['locker'] as const,
    factory() {
      const database = new FakeDatabase()
      return { database, composer: composerOf(database) }
    },
    another: (subject: object) => composerOf(databaseOf(subject)),
    ...databaseOptions,
    lease: duration,
  }
}

/** A locker on a fake database of which something is broken. */
export function remote(caught: string, title: string, Class: typeof RemoteLocker): Broken {
  return { caught: `Locker: ${caught}`, title, ...remoteLockers(Class, lease) }
}

/** A locker that changes the locks it gives. */
export function giving(
  change: (lock: Lock, locker: RemoteLocker, id: string) => Partial<Lock>,
): typeof RemoteLocker {
  return class extends RemoteLocker {
    override async acquire(id: string, options: AcquireOptions): Promise<Lock> {
      const lock = await super.acquire(id, options)
      return changed(lock, change(lock, this, id))
    }
  }
}

/** Takes its turn before others, and keeps it when it cannot take the lock. */
export class KeepsTurns extends RemoteLocker {
  readonly #turns = new MemoryLocker()

  override async acquire(id: string, options: AcquireOptions): Promise<Lock> {
    const turn = await this.#turns.acquire(id, options)
    const lock = await super.acquire(id, options)
    return changed(lock, { release: () => lock.release().finally(() => turn.release()) })
  }
}

/** Frees the lock of an id, also that of another holder. */
export const releasesById = giving((lock, locker, id) => ({
  async release() {
    await locker.change((rows, notify) => {
      locker.free(rows, id, lockRowIn(rows, id).holder ?? '', lock.forced)
      notify(id)
    })
    await lock.release()
  },
}))

/** Frees a lock even if it is lost, and renews it until it is free. */
export const freesFirst = giving((lock, locker, id) => ({
  async release() {
    await locker.change((rows) => {
      const { holder, token } = lockRowIn(rows, id)
      if (token === lock.token) locker.free(rows, id, holder ?? '', lock.forced)
    })
    await lock.release()
  },
}))

/** Looks at the signal only when it has the lock. */
export async function acquireLate(
  acquire: Locker['acquire'],
  id: string,
  options: AcquireOptions,
): Promise<Lock> {
  options.signal.throwIfAborted()
  const lock = await acquire(id, { ...options, signal: never })
  await turn()
  options.signal.throwIfAborted()
  return lock
}
