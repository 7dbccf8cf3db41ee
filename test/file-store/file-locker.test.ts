import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreComposer, type LockRequester } from 'tuskit'
import { FileLocker } from 'tuskit/file-store'
import { namesIn } from '../support/serve.js'

const program = fileURLToPath(new URL('../programs/locking-process.mjs', import.meta.url))
const never = new AbortController().signal
const ignore = { signal: never, requestRelease: () => true }
// A process that only polls would notice after 30 seconds, too late for any test.
const longLease = 100_000
// Long enough for a living process on a busy machine to keep the lock.
const shortLease = 2000

interface Message {
  readonly event: string
  readonly result?: unknown
  readonly error?: string
  readonly requester?: LockRequester
  readonly code?: string
}

let directory: string
let children: ChildProcess[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tuskit-locks-'))
  children = []
})

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }
  await rm(directory, { recursive: true })
})

/** Another process with a FileLocker. */
class OtherProcess {
  readonly child: ChildProcess
  readonly messages: Message[] = []

  private constructor(child: ChildProcess) {
    this.child = child
    child.on('message', (message: Message) => this.messages.push(message))
  }

  static async start(lease: number, ...more: 'unwatched'[]): Promise<OtherProcess> {
    const child = fork(program, [directory, String(lease), ...more])
    children.push(child)
    const other = new OtherProcess(child)
    await other.receive('ready')
    return other
  }

  /** Waits for the next message of this event, and removes it. */
  async receive(event: string): Promise<Message> {
    for (;;) {
      const index = this.messages.findIndex((message) => message.event === event)
      const [message] = index < 0 ? [] : this.messages.splice(index, 1)
      if (message?.error !== undefined) throw new Error(message.error)
      if (message !== undefined) return message
      await once(this.child, 'message')
    }
  }

  async do<T = unknown>(command: string, parameters: object = {}): Promise<T> {
    this.child.send({ command, ...parameters })
    return (await this.receive(command)).result as T
  }

  acquire(id: string, ...releases: LockRequester[]): Promise<{ token: number; forced: boolean }> {
    return this.do('acquire', { id, releases })
  }
}

describe('FileLocker', () => {
  it('fills the locker slot and checks its options', () => {
    const composer = new StoreComposer()
    const locker = new FileLocker({ directory })
    locker.useIn(composer)
    expect(composer.slots()).toEqual({ locker })
    expect(() => new FileLocker({} as { directory: string })).toThrow(/directory/)
    expect(() => new FileLocker({ directory, lease: 0 })).toThrow(/lease.*0/)
    expect(() => new FileLocker({ directory, leases: 1 } as never)).toThrow(/leases.*lease/)
  })

  it('serves one process in order, with increasing tokens', async () => {
    const locker = new FileLocker({ directory })
    const first = await locker.acquire('a', ignore)
    expect(first).toMatchObject({ token: 1, forced: false })
    const tokens: number[] = []
    const waiting = [1, 2, 3].map(async () => {
      const lock = await locker.acquire('a', ignore)
      expect(first.held()).toBe(false)
      tokens.push(lock.token)
      await lock.release()
    })
    const other = await locker.acquire('b', ignore)
    expect([first.held(), other.held()]).toEqual([true, true])
    await first.release()
    await Promise.all(waiting)
    expect(tokens).toEqual([2, 3, 4])
    expect(await readdir(join(directory, '.locks', 'a'))).toEqual(['3', '4'])
    await other.release()
  })

  it('refuses invalid ids', async () => {
    const locker = new FileLocker({ directory })
    const invalid = { code: 'ERR_INVALID_UPLOAD_ID' }
    await expect(locker.acquire('../a', ignore)).rejects.toMatchObject(invalid)
    await expect(locker.settle('.floor', ignore)).rejects.toMatchObject(invalid)
  })

  it.each([
    { title: 'under contention', ids: ['a'], prunes: false },
    { title: 'while unused locks are removed', ids: ['a', 'b', 'c'], prunes: true },
  ])('lets one of many processes in at a time, $title', async ({ ids, prunes }) => {
    const others = await Promise.all([1, 2, 3, 4].map(() => OtherProcess.start(longLease)))
    const tokens = await Promise.all(
      others.map((other) => other.do<number[][]>('hammer', { ids, prunes, times: 100 })),
    )
    for (const own of tokens.flat()) expect(own).toEqual(own.toSorted((a, b) => a - b))
    const ofEachId = ids.map((_, index) => tokens.flatMap((own) => own[index]!))
    for (const all of ofEachId) expect(new Set(all).size).toBe(all.length)
    expect(ofEachId.flat()).toHaveLength(400)
  })

  it('hands over to another process on request, without waiting for the next poll', async () => {
    const other = await OtherProcess.start(longLease)
    const locker = new FileLocker({ directory, lease: longLease })
    const { token } = await other.acquire('a', 'writer')
    const lock = await locker.acquire('a', ignore)
    expect(lock.token).toBeGreaterThan(token)
    expect(lock.forced).toBe(false)
    expect(await other.receive('asked')).toEqual({ event: 'asked', requester: 'writer' })
    expect(await other.do('held')).toBe(false)
    // And back, requested while this process already has a waiter of its own.
    const back = other.acquire('a', 'writer')
    await lock.release()
    expect((await back).token).toBeGreaterThan(lock.token)
    expect(other.messages).toEqual([])
  })

  it('asks the new holder to release while others wait already', async () => {
    const other = await OtherProcess.start(longLease)
    const locker = new FileLocker({ directory, lease: longLease })
    const requests: string[] = []
    await other.acquire('a')
    const waiting = ['first', 'second'].map(async (name) => {
      const lock = await locker.acquire('a', {
        signal: never,
        requestRelease: (requester) => {
          requests.push(`${name}: ${requester}`)
          void lock.release()
          return true
        },
      })
      return lock
    })
    await other.receive('asked')
    expect(requests).toEqual([])
    await other.do('release')
    const second = await waiting[1]!
    expect(requests).toEqual(['first: writer'])
    await second.release()
  })

  it('replaces a killed holder after its lease', async () => {
    const other = await OtherProcess.start(shortLease)
    const locker = new FileLocker({ directory, lease: shortLease })
    const { token } = await other.acquire('a')
    const exited = once(other.child, 'exit')
    other.child.kill('SIGKILL')
    await exited
    const lock = await locker.acquire('a', ignore)
    expect(lock).toMatchObject({ token: token + 1, forced: true })
    await lock.release()
    // No holder has shut out the killed one yet.
    const next = await locker.acquire('a', ignore)
    expect(next.forced).toBe(true)
    next.shutOut()
    await next.release()
    const last = await locker.acquire('a', ignore)
    expect(last.forced).toBe(false)
    await last.release()
  })

  it('notifies a holder that was suspended, and keeps its release from affecting others', async () => {
    const other = await OtherProcess.start(shortLease)
    const locker = new FileLocker({ directory, lease: shortLease })
    const { token } = await other.acquire('a')
    other.child.send({ command: 'heldAfterSuspension' })
    await other.receive('running')
    other.child.kill('SIGSTOP')
    const lock = await locker.acquire('a', ignore)
    expect(lock).toMatchObject({ token: token + 1, forced: true })

    other.child.kill('SIGCONT')
    const { result } = await other.receive('heldAfterSuspension')
    expect(result).toEqual({ held: false, lost: false })
    expect((await other.receive('lost')).code).toBe('ERR_LOCK_LOST')

    await other.do('release')
    expect(lock.held()).toBe(true)
    expect(lock.lost.aborted).toBe(false)
    const waiting = other.acquire('a')
    lock.shutOut()
    await lock.release()
    expect(await waiting).toEqual({ token: token + 2, forced: false })
  })

  it('keeps the lock of a living holder, however long', async () => {
    const other = await OtherProcess.start(shortLease)
    const locker = new FileLocker({ directory, lease: shortLease })
    const { token } = await other.acquire('a')
    const controller = new AbortController()
    const waiting = locker.acquire('a', { ...ignore, signal: controller.signal })
    await beats(join(directory, '.locks', 'a', String(token)), 6)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(await other.do('held')).toBe(true)
  })

  it('loses the lock when a higher number appears', async () => {
    const locker = new FileLocker({ directory, lease: shortLease })
    const lock = await locker.acquire('a', ignore)
    await writeFile(join(directory, '.locks', 'a', String(lock.token + 1)), '')
    await once(lock.lost, 'abort')
    expect(lock.held()).toBe(false)
    await lock.release()
  })

  it('ends the wait when the signal aborts', async () => {
    const other = await OtherProcess.start(longLease)
    const locker = new FileLocker({ directory, lease: longLease })
    await other.acquire('a')
    const controller = new AbortController()
    const waiting = locker.acquire('a', { ...ignore, signal: controller.signal })
    await other.receive('asked')
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(locker.acquire('b', { ...ignore, signal: controller.signal })).rejects.toBe(reason)
    expect(await other.do('held')).toBe(true)
    await other.do('release')
    const lock = await locker.acquire('a', ignore)
    await lock.release()
  })

  it('settles: free, declined, agreed, aborted', async () => {
    const locker = new FileLocker({ directory, lease: longLease })
    expect(await locker.settle('a', { signal: never })).toBe('free')
    expect(await namesIn(directory)).toEqual([])

    const other = await OtherProcess.start(longLease)
    await other.acquire('a')
    for (let time = 0; time < 20; time++) {
      expect(await locker.settle('a', { signal: never })).toBe('held')
      expect((await other.receive('asked')).requester).toBe('reader')
    }
    expect(await other.do('held')).toBe(true)
    expect(await readdir(join(directory, '.locks', 'a'))).toEqual(['1'])
    await other.do('release')
    expect(await locker.settle('a', { signal: never })).toBe('free')

    await other.acquire('a', 'reader')
    expect(await locker.settle('a', { signal: never })).toBe('free')
    expect((await other.receive('asked')).requester).toBe('reader')
    expect(await other.do('held')).toBe(false)

    await other.acquire('a')
    other.child.kill('SIGSTOP')
    const controller = new AbortController()
    const settling = locker.settle('a', { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(settling).rejects.toThrow('enough')
    await expect(locker.settle('b', { signal: controller.signal })).rejects.toThrow('enough')
  })

  it('works, more slowly, where directories cannot be watched', async () => {
    const other = await OtherProcess.start(shortLease, 'unwatched')
    const locker = new FileLocker({ directory, lease: shortLease })
    await other.acquire('a', 'writer')
    const lock = await locker.acquire('a', ignore)
    expect(lock.forced).toBe(false)
    const waiting = other.acquire('a')
    await lock.release()
    expect((await waiting).forced).toBe(false)
    expect(await locker.settle('a', { signal: never })).toBe('held')
  })

  it('removes unused locks, and continues counting', async () => {
    const locker = new FileLocker({ directory })
    const tokens: number[] = []
    for (const id of ['a', 'a', 'a', 'b']) {
      const lock = await locker.acquire(id, ignore)
      tokens.push(lock.token)
      await lock.release()
    }
    const held = await locker.acquire('c', ignore)
    await locker.prune()
    // One unused lock remains, with its number.
    const left = (await readdir(join(directory, '.locks'))).sort()
    expect(left).toEqual(['.floor', expect.stringMatching(/^[ab]$/), 'c'])
    expect(held.held()).toBe(true)
    const next = await locker.acquire('a', ignore)
    expect(next).toMatchObject({ token: Math.max(...tokens) + 1, forced: false })
    await held.release()
    await next.release()
    await locker.prune()
    expect(await readdir(join(directory, '.locks'))).toHaveLength(2)
    const [floor] = await readdir(join(directory, '.locks', '.floor'))
    const last = await locker.acquire('d', ignore)
    expect(last.token).toBe(Number(floor) + 1)
    await last.release()
  })
})

/** Resolves when the file of an acquisition shows that many heartbeats. */
async function beats(path: string, count: number): Promise<void> {
  const watcher = watch(path)
  try {
    while (Number(await readFile(path, 'utf8')) < count) await once(watcher, 'change')
  } finally {
    watcher.close()
  }
}
