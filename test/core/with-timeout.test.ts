import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { withTimeout } from '../../src/with-timeout.js'

const hanging = new Promise<never>(() => {})
const late = () => new Error('late')

test('work that ends in time gives its result', async () => {
  expect(await withTimeout(60_000, Promise.resolve('done'), late)).toBe('done')
})

test('work that hangs ends at the limit, and leaves no listener on the signal', async () => {
  const { signal } = new AbortController()
  await expect(withTimeout(1, hanging, late, signal)).rejects.toThrow('late')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

test('work that hangs ends when the signal aborts, before the limit', async () => {
  const controller = new AbortController()
  const work = withTimeout(60_000, hanging, late, controller.signal)
  controller.abort(new Error('aborted'))
  await expect(work).rejects.toThrow('aborted')
  await expect(withTimeout(60_000, hanging, late, controller.signal)).rejects.toThrow('aborted')
})
