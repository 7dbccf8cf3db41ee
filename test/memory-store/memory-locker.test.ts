import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { StoreComposer, type Lock } from 'tuskit'
import { MemoryLocker } from 'tuskit/memory-store'

const never = new AbortController().signal
const ignore = { signal: never, requestRelease: () => true }

describe('MemoryLocker', () => {
  it('fills the locker slot', () => {
    const composer = new StoreComposer()
    const locker = new MemoryLocker()
    locker.useIn(composer)
    expect(composer.slots()).toEqual({ locker })
  })

  it('serves waiters in the order in which they asked', async () => {
    const locker = new MemoryLocker()
    const first = await locker.acquire('a', ignore)
    const order: number[] = []
    const tokens: number[] = [first.token]
    const waiting = [1, 2, 3].map(async (n) => {
      const lock = await locker.acquire('a', ignore)
      order.push(n)
      tokens.push(lock.token)
      expect(lock.held()).toBe(true)
      await lock.release()
    })
    expect(order).toEqual([])
    await first.release()
    await Promise.all(waiting)
    expect(order).toEqual([1, 2, 3])
    expect(tokens).toEqual([...new Set(tokens)].sort((a, b) => a - b))
  })

  it('keeps ids apart', async () => {
    const locker = new MemoryLocker()
    const a = await locker.acquire('a', ignore)
    const b = await locker.acquire('b', ignore)
    expect([a.held(), b.held()]).toEqual([true, true])
  })

  it('asks each holder once for each newcomer, and once when its turn comes', async () => {
    const locker = new MemoryLocker()
    const asked: string[] = []
    const acquire = (name: string) =>
      locker.acquire('a', {
        signal: never,
        requestRelease: (claim) => asked.push(`${name}: ${claim}`) > 0,
      })
    const first = await acquire('first')
    const second = acquire('second')
    const third = acquire('third')
    expect(asked).toEqual(['first: writer', 'first: writer'])
    await first.release()
    await (await second).release()
    expect(asked.slice(2)).toEqual(['second: writer'])
    await (await third).release()
    expect(asked).toHaveLength(3)
  })

  it('lets a holder release while it is being asked', async () => {
    const locker = new MemoryLocker()
    let held: Lock | undefined
    const releaseWhenAsked = { signal: never, requestRelease: () => (void held!.release(), true) }
    held = await locker.acquire('a', releaseWhenAsked)
    const next = await locker.acquire('a', ignore)
    expect(next.held()).toBe(true)
    await next.release()
    held = await locker.acquire('a', releaseWhenAsked)
    expect(await locker.settle('a', { signal: never })).toBe('free')
  })

  it('releases one acquisition only, and only once', async () => {
    const locker = new MemoryLocker()
    const first = await locker.acquire('a', ignore)
    await first.release()
    expect(first.held()).toBe(false)
    const second = await locker.acquire('a', ignore)
    const third = locker.acquire('a', ignore)
    await first.release()
    expect(second.held()).toBe(true)
    await second.release()
    expect((await third).held()).toBe(true)
    expect(first.lost.aborted).toBe(false)
    expect(first.forced).toBe(false)
  })

  it('forgets a waiter whose signal aborts', async () => {
    const locker = new MemoryLocker()
    const first = await locker.acquire('a', ignore)
    const controller = new AbortController()
    const second = locker.acquire('a', { ...ignore, signal: controller.signal })
    const third = locker.acquire('a', ignore)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(second).rejects.toBe(reason)
    await first.release()
    expect((await third).held()).toBe(true)
    await expect(locker.acquire('b', { ...ignore, signal: controller.signal })).rejects.toBe(reason)
    expect(await locker.settle('b', { signal: never })).toBe('free')
  })

  it('leaves no listener on the signal of whoever got the lock', async () => {
    const locker = new MemoryLocker()
    const { signal } = new AbortController()
    const first = await locker.acquire('a', ignore)
    const second = locker.acquire('a', { ...ignore, signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await first.release()
    await second
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('settles: free, declined, agreed, aborted', async () => {
    const locker = new MemoryLocker()
    const controller = new AbortController()
    const { signal } = controller
    expect(await locker.settle('a', { signal })).toBe('free')

    const claims: string[] = []
    let agrees = false
    const requestRelease = (claim: string) => (claims.push(claim), agrees)
    const lock = await locker.acquire('a', { signal: never, requestRelease })
    expect(await locker.settle('a', { signal })).toBe('held')
    expect(lock.held()).toBe(true)

    agrees = true
    const settled = locker.settle('a', { signal: never })
    const given = locker.settle('a', { signal })
    controller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await expect(locker.settle('a', { signal })).rejects.toThrow('enough')
    await lock.release()
    expect(await settled).toBe('free')
    expect(claims).toEqual(['reader', 'reader', 'reader'])
  })

  it('asks the next holder when the one that agreed had a successor', async () => {
    const locker = new MemoryLocker()
    const first = await locker.acquire('a', ignore)
    const second = locker.acquire('a', {
      signal: never,
      requestRelease: (claim) => claim === 'writer',
    })
    const settled = locker.settle('a', { signal: never })
    await first.release()
    expect(await settled).toBe('held')
    await (await second).release()
  })
})
