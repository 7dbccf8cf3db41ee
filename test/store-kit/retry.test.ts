import { getEventListeners } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { TusError } from 'tuskit'
import { retry } from 'tuskit/store-kit'

const { signal } = new AbortController()
const unavailable = () => new TusError('ERR_STORAGE_UNAVAILABLE')

/** Work that fails with these errors, one after another, and then succeeds. */
function failing(...errors: unknown[]) {
  const left = [...errors]
  return vi.fn(async (attempt: number) => {
    if (left.length > 0) throw left.shift()
    return `succeeded at ${attempt}`
  })
}

test('returns the result of the first attempt', async () => {
  const work = failing()
  expect(await retry(work, { signal })).toBe('succeeded at 1')
  expect(work).toHaveBeenCalledTimes(1)
})

test('tries again when the storage was unavailable', async () => {
  const work = failing(unavailable(), unavailable())
  expect(await retry(work, { signal, delay: 1 })).toBe('succeeded at 3')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('rejects with the last error after the last attempt', async () => {
  const errors = [1, 2, 3, 4].map(() => unavailable())
  const work = failing(...errors)
  await expect(retry(work, { signal, delay: 1 })).rejects.toBe(errors[2])
  expect(work).toHaveBeenCalledTimes(3)
  await expect(retry(failing(...errors), { signal, attempts: 1 })).rejects.toBe(errors[0])
})

test.each([
  new TusError('ERR_STORAGE_FULL'),
  new TusError('ERR_DATA_MISSING'),
  new TusError('ERR_LOCK_LOST'),
  Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
  new TypeError('a mistake'),
])('does not try again after %s', async (error) => {
  const work = failing(error)
  await expect(retry(work, { signal })).rejects.toBe(error)
  expect(work).toHaveBeenCalledTimes(1)
})

test('`isWorthIt` decides otherwise', async () => {
  const busy = new Error('busy')
  const other = new Error('other')
  const isWorthIt = (error: unknown) => error === busy
  const work = failing(busy, other)
  await expect(retry(work, { signal, delay: 1, isWorthIt })).rejects.toBe(other)
})

describe('when the signal aborts', () => {
  const reason = new Error('no longer needed')

  test('before, does nothing', async () => {
    const work = failing()
    await expect(retry(work, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(work).not.toHaveBeenCalled()
  })

  test('during a wait, ends it', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1)
    onTestFinished(() => void vi.restoreAllMocks())
    const controller = new AbortController()
    const work = failing(unavailable())
    const limits = { delay: 2_000_000_000, maxDelay: 2_000_000_000 }
    const working = retry(work, { signal: controller.signal, ...limits })
    await new Promise(setImmediate)
    controller.abort(reason)
    await expect(working).rejects.toBe(reason)
    expect(work).toHaveBeenCalledTimes(1)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  })

  test('during an attempt, makes no other', async () => {
    const controller = new AbortController()
    const work = vi.fn(async () => {
      controller.abort(reason)
      throw unavailable()
    })
    await expect(retry(work, { signal: controller.signal, delay: 1 })).rejects.toBe(reason)
    expect(work).toHaveBeenCalledTimes(1)
  })
})

describe('waits', () => {
  /** Returns the waits of ten attempts if chance gives `random`. */
  async function waits(random: number, options: object): Promise<number[]> {
    vi.useFakeTimers()
    vi.spyOn(Math, 'random').mockReturnValue(random)
    onTestFinished(() => {
      vi.useRealTimers()
      vi.restoreAllMocks()
    })
    const times: number[] = []
    const work = async () => {
      times.push(Date.now())
      throw unavailable()
    }
    const working = retry(work, { signal, attempts: 10, ...options }).catch(() => {})
    await vi.runAllTimersAsync()
    await working
    return times.slice(1).map((time, n) => time - times[n]!)
  }

  test('double up to the longest', async () => {
    expect(await waits(1, {})).toEqual([...[100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000, 5_000]])
    expect(await waits(1, { delay: 10, maxDelay: 50 })).toEqual([
      ...[10, 20, 40, 50, 50, 50, 50, 50, 50],
    ])
  })

  test('are anything from 0 on by chance', async () => {
    expect(await waits(0.25, { delay: 400 })).toEqual([
      ...[100, 200, 400, 800, 1_250, 1_250, 1_250, 1_250, 1_250],
    ])
  })
})

test('options are checked', async () => {
  const wrong = (options: object) => retry(failing(), options as never)
  await expect(wrong({})).rejects.toThrow("retry: option 'signal' must be an AbortSignal")
  await expect(wrong({ signal, attempts: 0 })).rejects.toThrow("option 'attempts' must be")
  await expect(wrong({ signal, retries: 3 })).rejects.toThrow("there is no option 'retries'")
})
