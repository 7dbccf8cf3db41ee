import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, it, test, vi } from 'vitest'
import { Lease, type LeaseOptions } from 'tuskit/store-kit'

afterEach(() => void vi.useRealTimers())

const duration = 10_000

/** A lease whose clock moves only when the test moves it. */
function stage(options: Partial<LeaseOptions> = {}) {
  vi.useFakeTimers({ toFake: ['performance', 'setInterval', 'clearInterval'] })
  const renew = vi.fn(() => Promise.resolve(true))
  const lease = new Lease({ duration, sentAt: performance.now(), renew, ...options })
  const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds)
  return { lease, renew, pass }
}

/** Lets time pass without running timers, as when the process is suspended. */
function suspend(milliseconds: number): void {
  vi.setSystemTime(Date.now() + milliseconds)
  const clock = vi.spyOn(performance, 'now')
  const before = performance.now()
  clock.mockImplementation(() => before + milliseconds)
}

describe('without renewals', () => {
  it('is held for 85 % of the lease, before others may take the lock over', async () => {
    const { lease, pass } = stage({ renew: undefined as never })
    await pass(8_499)
    expect(lease.held()).toBe(true)
    await pass(1)
    expect(lease.held()).toBe(false)
  })

  it('is lost before the lease ends', async () => {
    const { lease, pass } = stage({ renew: undefined as never })
    await pass(9_000)
    expect(lease.lost.aborted).toBe(true)
    expect(lease.lost.reason).toMatchObject({ code: 'ERR_LOCK_LOST' })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('counts from the time when the request was sent', async () => {
    const { pass } = stage()
    const sentAt = performance.now()
    await pass(8_000)
    const lease = new Lease({ duration, sentAt })
    expect(lease.held()).toBe(true)
    await pass(500)
    expect(lease.held()).toBe(false)
    expect(new Lease({ duration, sentAt }).held()).toBe(false)
  })
})

describe('renewals', () => {
  it('are sent three times per lease, and keep it held', async () => {
    const { lease, renew, pass } = stage()
    await pass(300_000)
    expect(renew).toHaveBeenCalledTimes(100)
    expect(lease.held()).toBe(true)
    await lease.stop()
  })

  it('count from the time when they were sent', async () => {
    const { lease, pass } = stage({
      renew: () => new Promise((resolve) => setTimeoutLater(() => resolve(true))),
    })
    const finish: (() => void)[] = []
    function setTimeoutLater(work: () => void) {
      finish.push(work)
    }
    await pass(3_000)
    await pass(5_000)
    finish[0]!()
    await pass(0)
    // Sent at 3,000, so held until 11,500. Counted from the response it would be 16,500.
    await pass(3_499)
    expect(lease.held()).toBe(true)
    await pass(1)
    expect(lease.held()).toBe(false)
  })

  it('end when the next one is due, so that one that hangs does not lose the lock', async () => {
    const signals: AbortSignal[] = []
    const { lease, pass } = stage({
      renew: ({ signal }) => {
        signals.push(signal)
        return signals.length === 1 ? new Promise(() => {}) : Promise.resolve(true)
      },
    })
    await pass(5_999)
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
    await pass(1)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
    await pass(60_000)
    expect(lease.held()).toBe(true)
  })

  it('never run twice at once if they end with their signal', async () => {
    let running = 0
    let most = 0
    const { lease, pass } = stage({
      async renew({ signal }) {
        most = Math.max(most, ++running)
        signal.addEventListener('abort', () => running--)
        await once(signal, 'abort')
        throw signal.reason
      },
    })
    await pass(60_000)
    expect([most, running, lease.lost.aborted]).toEqual([1, 0, true])
  })

  it('that ignore their signal still count', async () => {
    const finish: (() => void)[] = []
    const { lease, pass } = stage({
      renew: () => new Promise((resolve) => finish.push(() => resolve(true))),
    })
    await pass(8_000)
    finish[0]!()
    await pass(3_499)
    expect([lease.held(), finish.length]).toEqual([true, 3])
    await pass(1)
    expect(lease.held()).toBe(false)
  })

  it('that fail may succeed later', async () => {
    let fails = true
    const renew = async () => {
      if (fails) throw new Error('the network failed')
      return true
    }
    const { lease, pass } = stage({ renew })
    await pass(4_000)
    expect(lease.held()).toBe(true)
    fails = false
    await pass(60_000)
    expect(lease.held()).toBe(true)
    fails = true
    await pass(9_000)
    expect(lease.lost.aborted).toBe(true)
  })

  it('that throw at once are failures too', async () => {
    const { lease, pass } = stage({
      renew() {
        throw new Error('the network failed')
      },
    })
    await pass(3_000)
    expect(lease.held()).toBe(true)
    await pass(6_000)
    expect(lease.lost.aborted).toBe(true)
  })

  it('lose the lock at once when it belongs to another holder', async () => {
    const { lease, pass } = stage({ renew: () => Promise.resolve(false) })
    await pass(3_000)
    expect([lease.held(), lease.lost.aborted]).toEqual([false, true])
  })

  it('that come too late lose the lock, because another process may have it', async () => {
    const finish: (() => void)[] = []
    const { lease, pass } = stage({
      renew: () => new Promise((resolve) => finish.push(() => resolve(true))),
    })
    await pass(3_000)
    suspend(6_000)
    finish[0]!()
    await pass(0)
    expect([lease.held(), lease.lost.aborted]).toEqual([false, true])
    vi.restoreAllMocks()
  })

  it('can be noted by the locker, in any order', async () => {
    const { lease, pass } = stage({ renew: undefined as never })
    const early = performance.now()
    await pass(4_000)
    lease.renewed(performance.now())
    lease.renewed(early)
    await pass(8_499)
    expect(lease.held()).toBe(true)
    await pass(1)
    expect(lease.held()).toBe(false)
    lease.renewed(performance.now())
    expect([lease.held(), lease.lost.aborted]).toEqual([false, true])
  })
})

test('a process that was suspended knows at once that the lock is not held, before any timer runs', () => {
  const lease = new Lease({ duration: 1_000, sentAt: performance.now(), renew: async () => true })
  // Nothing runs in this thread meanwhile.
  execFileSync('sleep', ['0.9'])
  expect([lease.held(), lease.lost.aborted]).toEqual([false, false])
  void lease.stop()
})

test('the holder can note that the lock is lost', async () => {
  const { lease, renew, pass } = stage()
  lease.lose()
  expect([lease.held(), lease.lost.aborted]).toEqual([false, true])
  await pass(60_000)
  expect(renew).not.toHaveBeenCalled()
})

describe('stop', () => {
  it('ends the lease, which is not lost', async () => {
    const { lease, renew, pass } = stage()
    await lease.stop()
    expect(lease.held()).toBe(false)
    await pass(60_000)
    lease.lose()
    expect([lease.lost.aborted, renew.mock.calls.length]).toEqual([false, 0])
  })

  it('waits for a renewal in progress, which does not count', async () => {
    const finish: (() => void)[] = []
    const { lease, pass } = stage({
      renew: () => new Promise((resolve) => finish.push(() => resolve(true))),
    })
    await pass(3_000)
    let stopped = false
    const stopping = lease.stop().then(() => (stopped = true))
    expect(lease.held()).toBe(false)
    await pass(100)
    expect(stopped).toBe(false)
    finish[0]!()
    await stopping
    expect([lease.held(), lease.lost.aborted]).toEqual([false, false])
  })

  it('waits until the next renewal would be due, if one hangs', async () => {
    const signals: AbortSignal[] = []
    const { lease, pass } = stage({
      renew: ({ signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    })
    await pass(3_000)
    const stopped = vi.fn()
    const stopping = lease.stop().then(stopped)
    await pass(2_999)
    expect([stopped.mock.calls.length, signals[0]!.aborted]).toEqual([0, false])
    await pass(1)
    await stopping
    expect([signals.length, signals[0]!.aborted, lease.lost.aborted]).toEqual([1, true, false])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not wait for a renewal that hangs once the lock is lost', async () => {
    const { lease, pass } = stage({ renew: () => new Promise(() => {}) })
    await pass(3_000)
    lease.lose()
    await lease.stop()
    expect(lease.lost.aborted).toBe(true)
  })
})

test('a lease does not keep the process alive', () => {
  const lease = new Lease({ duration: 1_000_000, sentAt: performance.now() })
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout')
  void lease.stop()
  const without = process.getActiveResourcesInfo().filter((name) => name === 'Timeout')
  expect(timers).toEqual(without)
})

test('options are checked', () => {
  const wrong = (options: object) => () => new Lease(options as never)
  const sentAt = performance.now()
  expect(wrong({ sentAt })).toThrow("Lease: option 'duration' must be a number of milliseconds")
  expect(wrong({ duration })).toThrow("Lease: option 'sentAt' must be a time of performance.now()")
  expect(wrong({ duration, sentAt: Date.now() })).toThrow("option 'sentAt' must be a time of")
  expect(wrong({ duration, sentAt, renewal: 1 })).toThrow("did you mean 'renew'?")
})
