import { expect, test } from 'vitest'
import { StoreComposer, type HookBackend, type HookCall } from 'tuskit'
import { MemoryInfoStore, MemoryStore } from 'tuskit/memory-store'
import { Monitor } from '../../src/monitor/monitor.js'
import { memoryComposer, valuesOf } from './watched-site.js'

const call = { event: { type: 'access', id: 'a/access' } } as unknown as HookCall
const { signal } = new AbortController()

test('observed slots are those that were filled, and the lifecycles are the same objects', () => {
  const monitor = new Monitor({ worker: 0 })
  const lifecycle = { open: async () => {}, close: async () => {} }
  const full = memoryComposer().useLifecycle(lifecycle)
  const observed = monitor.observe(full).slots()
  expect(Object.keys(observed).toSorted()).toEqual(Object.keys(full.slots()).toSorted())
  expect(observed.lifecycles).toEqual([lifecycle])
  expect(observed.lifecycles![0]).toBe(lifecycle)
  const few = new StoreComposer().use(new MemoryStore(), new MemoryInfoStore())
  expect(monitor.observe(few).slots().locker).toBeUndefined()
})

test('a backend of hooks keeps its lifecycle, its events, its replies and its errors', async () => {
  const monitor = new Monitor({ worker: 0 })
  class Backend implements HookBackend {
    readonly events = ['access'] as const
    readonly #calls: string[] = []
    get calls() {
      return this.#calls
    }
    async open() {
      this.#calls.push('open')
    }
    async close() {
      this.#calls.push('close')
    }
    async call() {
      this.#calls.push('call')
      if (this.#calls.length > 2) throw new Error('Unreachable')
      return { reject: true }
    }
  }
  const backend = new Backend()
  const observed = monitor.observeHooks(backend)
  expect(monitor.observeHooks(backend)).toBe(observed)
  expect(observed.events).toBe(backend.events)
  await observed.open!()
  expect(await observed.call(call, { signal })).toEqual({ reject: true })
  await expect(observed.call(call, { signal })).rejects.toThrow('Unreachable')
  await observed.close!()
  expect(backend.calls).toEqual(['open', 'call', 'call', 'close'])
  const report = await monitor.report()
  expect(valuesOf(report, 'tusd_hook_invocations_total')['access']).toBe(2)
  expect(valuesOf(report, 'tusd_hook_errors_total')['access']).toBe(1)
  expect(valuesOf(report, 'tuskit_hook_seconds')['access']).toBe(2)

  const plain = monitor.observeHooks({ events: [], call: () => {} })
  expect('open' in plain || 'close' in plain).toBe(false)
})

test('wrong options are refused', () => {
  expect(() => new Monitor({ worker: -1 })).toThrow(
    "'worker' must be a whole number from 0, not -1",
  )
  expect(() => new Monitor({ worker: 0, stalledAfter: 0 })).toThrow(
    "'stalledAfter' must be above 0",
  )
})
