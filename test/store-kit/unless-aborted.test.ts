import { once } from 'node:events'
import { expect, test } from 'vitest'
import { unlessAborted } from 'tuskit/store-kit'

const reason = new Error('The lock is lost')

test('unlessAborted settles as the work does', async () => {
  const { signal } = new AbortController()
  expect(await unlessAborted(signal, Promise.resolve('done'))).toBe('done')
  const failure = new Error('no')
  await expect(unlessAborted(signal, Promise.reject(failure))).rejects.toBe(failure)
})

test('unlessAborted does not wait for work that hangs after an abort', async () => {
  const controller = new AbortController()
  const hanging = new Promise<never>(() => {})
  const outcome = expect(unlessAborted(controller.signal, hanging)).rejects.toBe(reason)
  controller.abort(reason)
  await outcome
  await expect(unlessAborted(controller.signal, hanging)).rejects.toBe(reason)
})

test('unlessAborted passes a late result on, so that it can be released', async () => {
  const controller = new AbortController()
  const results = new EventTarget()
  let finish!: (value: string) => void
  const work = new Promise<string>((resolve) => (finish = resolve))
  const undo = (late: string) => void results.dispatchEvent(new Event(late))
  const outcome = expect(unlessAborted(controller.signal, work, undo)).rejects.toBe(reason)
  controller.abort(reason)
  await outcome
  const late = once(results, 'connection')
  finish('connection')
  await late
})

test('unlessAborted ignores a late failure', async () => {
  const controller = new AbortController()
  let fail!: (error: Error) => void
  const work = new Promise<never>((_, reject) => (fail = reject))
  const outcome = expect(unlessAborted(controller.signal, work)).rejects.toBe(reason)
  controller.abort(reason)
  await outcome
  fail(new Error('late'))
  await expect(work).rejects.toThrow('late')
})
