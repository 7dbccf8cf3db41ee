import type { AcquireOptions, ChangeOptions, Lock, Upload } from 'tuskit'
import type { Broken } from './broken.js'
import { breakingRemoteRecords } from './broken-record-faults.js'
import { remote } from './broken-remote-lockers.js'
import type { RemoteInfoStore } from './remote-info-store.js'
import { RemoteLocker } from './remote-locker.js'

const info = breakingRemoteRecords('infoStore')

/** Info stores that leave connections open. */
export const openedByRecords: readonly Broken[] = [
  info(
    'calls for records leave nothing open',
    'closes its connection only after success',
    (sound) => ({
      async update(upload: Upload, options: ChangeOptions) {
        const close = sound.database.connect()
        await sound.update(upload, options)
        close()
      },
    }),
  ),
]

/** Lists ids on a connection that is closed at the end of the list. */
async function* onConnection(
  { database }: RemoteInfoStore,
  ids: AsyncIterable<string>,
): AsyncGenerator<string> {
  const close = database.connect()
  for await (const id of ids) yield id
  close()
}

/** Lists that leave connections open. */
export const openedByExpiry: readonly Broken[] = [
  breakingRemoteRecords('expiryIndex')(
    'expired leaves nothing open, also when its caller stops early',
    'closes its connection at the end of the list',
    (sound) => ({ expired: (...args) => onConnection(sound, sound.expired(...args)) }),
  ),
]

export const openedByLists: readonly Broken[] = [
  breakingRemoteRecords('infoLister')(
    'ids leaves nothing open, also when its caller stops early',
    'closes its connection at the end of the list',
    (sound) => ({ ids: (...args) => onConnection(sound, sound.ids(...args)) }),
  ),
]

/** Lockers that leave connections open. */
export const openedByLocks: readonly Broken[] = [
  remote(
    'locks leave nothing open, also when a caller gives up',
    'keeps the connection of a caller that gives up',
    class extends RemoteLocker {
      override async acquire(id: string, options: AcquireOptions): Promise<Lock> {
        const close = this.database.connect()
        const lock = await super.acquire(id, options)
        close()
        return lock
      }
    },
  ),
]
