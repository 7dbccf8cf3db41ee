// Uses a FileLocker as its parent commands. Arguments: directory, lease, and `unwatched` for a
// platform without fs.watch.
import fs from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'

const [directory, lease, unwatched] = process.argv.slice(2)
if (unwatched) {
  fs.watch = () => {
    throw new Error('fs.watch is not available')
  }
  syncBuiltinESMExports()
}
const { FileLocker } = await import('../.dist/file-store.js')
const locker = new FileLocker({ directory, lease: Number(lease) })
const { signal } = new AbortController()
let lock

const commands = {
  /** `releases` lists the requesters for which it releases the lock. */
  async acquire({ id, releases }) {
    const requestRelease = (requester) => {
      process.send({ event: 'asked', requester })
      if (releases.includes(requester)) lock.release()
      return releases.includes(requester)
    }
    lock = await locker.acquire(id, { signal, requestRelease })
    lock.lost.addEventListener('abort', () => {
      process.send({ event: 'lost', code: lock.lost.reason.code })
    })
    return { token: lock.token, forced: lock.forced }
  },
  release: () => lock.release(),
  held: () => lock.held(),
  settle: ({ id }) => locker.settle(id, { signal }),
  /**
   * Runs without a pause until this process has been suspended for most of a lease. No timer can
   * run meanwhile.
   */
  async heldAfterSuspension() {
    // Measure first: the parent may suspend this process as soon as it has the message.
    let before = performance.now()
    process.send({ event: 'running' })
    for (;;) {
      const now = performance.now()
      if (now - before > lease * 0.9) return { held: lock.held(), lost: lock.lost.aborted }
      before = now
    }
  },
  /**
   * Takes locks many times, each time creating a file that must not exist yet. Returns the tokens
   * of each id.
   */
  async hammer({ ids, times, prunes }) {
    const tokens = ids.map(() => [])
    for (let time = 0; time < times; time++) {
      const index = Math.floor(Math.random() * ids.length)
      const mine = await locker.acquire(ids[index], { signal, requestRelease: () => true })
      const critical = join(directory, `critical-${ids[index]}`)
      const file = await open(critical, 'wx')
      await setImmediate()
      await file.close()
      await unlink(critical)
      if (!mine.held() || mine.forced) throw new Error('the lock was lost')
      tokens[index].push(mine.token)
      await mine.release()
      if (prunes) await locker.prune()
    }
    return tokens
  },
}

process.on('message', async ({ command, ...parameters }) => {
  try {
    process.send({ event: command, result: await commands[command](parameters) })
  } catch (error) {
    process.send({ event: command, error: String(error.stack) })
  }
})
process.send({ event: 'ready' })
