import type { AcquireOptions } from 'tuskit'
import type { Broken } from './broken.js'
import {
  acquireLate,
  freesFirst,
  giving,
  KeepsTurns,
  never,
  releasesById,
  remote,
} from './broken-remote-lockers.js'
import type { FakeDatabase } from './fake-database.js'
import { isFree, RemoteLocker, type LockRow } from './remote-locker.js'

const healthy = 'a lock stays held for several leases, and nobody else gets it'
const losing = 'a holder that cannot reach the storage loses the lock before another one gets it'
const forcing = 'the next holder of a lost lock finds forced, until it has shut the earlier one out'
const lostRelease = 'release of a lost lock does not affect the next holder'
const requests = 'requests reach the holder after a fault'
const waiting = 'callers that wait during a fault get the lock, reject or give up'
const slow = 'a lock that took longer than its lease to take is not held when others get it'
const lateRenewal = 'a late renewal of a lost lock does not affect the next holder'
const handover = 'a caller that gives up during a handover does not keep the lock from others'
const releases = 'releases at the same time end only their own acquisition'

export const brokenLockLosses: readonly Broken[] = [
  remote(
    healthy,
    'says that it has renewed a lock, and has not',
    class extends RemoteLocker {
      override renew() {
        return true
      }
    },
  ),
  remote(
    healthy,
    'fails to renew its locks',
    class extends RemoteLocker {
      override renew(): boolean {
        throw new Error('ERR unknown command')
      }
    },
  ),
  remote(
    healthy,
    'renews a lock once',
    class extends RemoteLocker {
      readonly #renewed = new Set<LockRow>()

      override renew(rows: Map<string, string>, id: string, lock: LockRow): boolean {
        if (this.#renewed.has(lock)) return true
        this.#renewed.add(lock)
        return super.renew(rows, id, lock)
      }
    },
  ),
  remote(
    losing,
    'has locks that are never lost',
    giving(() => ({ held: () => true, lost: never })),
  ),
  remote(
    losing,
    'does not report that a lock is lost',
    giving(() => ({ lost: never })),
  ),
  remote(
    forcing,
    'never finds a lock forced',
    class extends RemoteLocker {
      override takeRow(row: LockRow, holder: string): LockRow {
        return { ...super.takeRow(row, holder), forced: false }
      }
    },
  ),
  remote(
    forcing,
    'sets forced only for the next holder of a lost lock',
    class extends RemoteLocker {
      override takeRow(row: LockRow, holder: string): LockRow {
        return super.takeRow({ ...row, forced: false }, holder)
      }
    },
  ),
  remote(
    forcing,
    'does not note that the earlier holder was shut out',
    class extends RemoteLocker {
      override giveBack(id: string, holder: string) {
        return super.giveBack(id, holder, true)
      }
    },
  ),
  remote(forcing, 'releases a lock that was lost', freesFirst),
  remote(
    forcing,
    'forgets the token of a lock at the end of its lease',
    class extends RemoteLocker {
      override takeRow(row: LockRow, holder: string): LockRow {
        const isOver = row.holder !== undefined && isFree(row)
        return super.takeRow(isOver ? { ...row, token: 0 } : row, holder)
      }
    },
  ),
  remote(lostRelease, 'releases by id, without comparing the holder', releasesById),
  remote(
    requests,
    'does not subscribe again after a lost connection',
    class extends RemoteLocker {
      constructor(database: FakeDatabase, duration: number) {
        super(database, duration)
        this.notices.lose = () => {}
      }
    },
  ),
  remote(waiting, 'keeps the place of a caller that gives up', KeepsTurns),
  remote(
    waiting,
    'waits for a notice that it missed',
    class extends RemoteLocker {
      constructor(database: FakeDatabase, duration: number) {
        super(database, duration)
        this.notices.lose = () => {}
      }

      override waitFor() {
        return 60_000
      }
    },
  ),
  remote(
    slow,
    'counts the lease from the response',
    class extends RemoteLocker {
      override startOf() {
        return performance.now()
      }
    },
  ),
  remote(
    lateRenewal,
    'renews a lock without comparing its holder',
    class extends RemoteLocker {
      override renew(rows: Map<string, string>, id: string, lock: LockRow): boolean {
        rows.set(id, JSON.stringify({ ...lock, until: performance.now() + this.duration }))
        return true
      }
    },
  ),
  remote(
    `${handover}, on two instances`,
    'gives the lock to one of another process who went',
    class extends RemoteLocker {
      override acquire(id: string, options: AcquireOptions) {
        return acquireLate((...args) => super.acquire(...args), id, options)
      }
    },
  ),
  remote(`${releases}, on two instances`, 'releases the lock of another process', releasesById),
]
