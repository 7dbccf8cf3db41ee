import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { StoreComposer } from 'tuskit'
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

  it('asks each holder once for each new requester, and once when its turn comes', async () => {
    const locker = new MemoryLocker()
    const requests: string[] = []
    const acquire = (name: string) =>
      locker.acquire('a', {
        signal: never,
        requestRelease: (requester) => requests.push(`${name}: ${requester}`) > 0,
      })
    const first = await acquire('first')
    const second = acquire('second')
    const third = acquire('third')
    expect(requests).toEqual(['first: writer', 'first: writer'])
    await first.release()
    await (await second).release()
    expect(requests.slice(2)).toEqual(['second: writer'])
    await (await third).release()
    expect(requests).toHaveLength(3)
  })

  it('leaves no listener on the signal of a request that got the lock', async () => {
    const locker = new MemoryLocker()
    const { signal } = new AbortController()
    const first = await locker.acquire('a', ignore)
    const second = locker.acquire('a', { ...ignore, signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
    await first.release()
    await second
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('asks the next holder if the one that agreed had a successor', async () => {
    const locker = new MemoryLocker()
    const first = await locker.acquire('a', ignore)
    const second = locker.acquire('a', {
      signal: never,
      requestRelease: (requester) => requester === 'writer',
    })
    const settled = locker.settle('a', { signal: never })
    await first.release()
    expect(await settled).toBe('held')
    await (await second).release()
  })
})
