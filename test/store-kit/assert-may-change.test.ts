import { expect, test } from 'vitest'
import { assertMayChange } from 'tuskit/store-kit'
import { writing } from '../file-store/stage.js'

test('a change is allowed while the lock is held', () => {
  expect(() => assertMayChange(writing())).not.toThrow()
})

test('a change is refused with ERR_LOCK_LOST when the lock is lost', () => {
  const fence = { ...writing().fence, held: () => false }
  expect(() => assertMayChange(writing({ fence }))).toThrow(
    expect.objectContaining({ code: 'ERR_LOCK_LOST' }),
  )
})

test('a change is refused with the reason of the signal when that has aborted', () => {
  const reason = new Error('no longer needed')
  const fence = { ...writing().fence, held: () => false }
  const signal = AbortSignal.abort(reason)
  expect(() => assertMayChange(writing({ signal, fence }))).toThrow(reason)
})
