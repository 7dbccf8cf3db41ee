import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { eachBatch } from 'tuskit/store-kit'
import { bodyFrom, silentBody, watchedBody } from './stage.js'

const { signal } = new AbortController()
const batches = ['a', 'b', 'c'].map((text) => [Buffer.from(text)])

test('passes the batches one after another', async () => {
  const { body, seen } = watchedBody(batches)
  const steps: string[] = []
  await eachBatch(body, { signal }, async ([buffer]) => {
    steps.push(`begin ${buffer}`)
    await new Promise(setImmediate)
    steps.push(`end ${buffer} of ${seen.taken}`)
  })
  expect(steps).toEqual([
    ...['begin a', 'end a of 1', 'begin b', 'end b of 2', 'begin c', 'end c of 3'],
  ])
})

test('stops waiting for a silent client when the signal aborts, and does not wait for the body to end', async () => {
  const controller = new AbortController()
  const { body, seen } = silentBody(batches[0]!)
  const reason = new Error('no longer needed')
  const reading = eachBatch(body, controller, async () => void setImmediate(abort))
  function abort() {
    controller.abort(reason)
  }
  await expect(reading).rejects.toBe(reason)
  expect(seen.returned).toBe(true)
})

test('takes no batch when the signal has aborted before', async () => {
  const { body, seen } = watchedBody(batches)
  const reason = new Error('no longer needed')
  const reading = eachBatch(body, { signal: AbortSignal.abort(reason) }, async () => {})
  await expect(reading).rejects.toBe(reason)
  expect(seen.taken).toBe(0)
})

test('waits for a batch in progress when the signal aborts', async () => {
  const controller = new AbortController()
  const { body } = watchedBody(batches)
  let finished = false
  const reading = eachBatch(body, controller, async () => {
    controller.abort(new Error('no longer needed'))
    await new Promise(setImmediate)
    finished = true
  })
  await expect(reading).rejects.toThrow('no longer needed')
  expect(finished).toBe(true)
})

test('ends the body when a batch cannot be stored', async () => {
  const { body, seen } = watchedBody(batches)
  const failure = new Error('the storage failed')
  await expect(eachBatch(body, { signal }, () => Promise.reject(failure))).rejects.toBe(failure)
  expect(seen).toEqual({ taken: 1, ended: true })
})

test('a body that cannot be ended harms nothing', async () => {
  const iterator = {
    next: async () => ({ done: true, value: undefined }) as const,
    return: () => Promise.reject(new Error('cannot be ended')),
  }
  const body = bodyFrom({ [Symbol.asyncIterator]: () => iterator })
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  await eachBatch(body, { signal }, async () => {})
  await new Promise(setImmediate)
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

test('leaves no listener at the signal', async () => {
  const { body } = watchedBody(batches)
  await eachBatch(body, { signal }, async () => {})
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
