import { MemoryLocker } from 'tuskit/memory-store'
import type { Lifecycle, StoreComposer, StoreSlots } from 'tuskit'
import { memoryComposer } from '../support/serve.js'

/** Stores that must be open when they are called, like those that hold connections. */
export interface OpenableStores {
  readonly composer: StoreComposer
  /** The object that opens and closes them. */
  readonly lifecycle: Lifecycle
  /** The calls, in order: `open`, `close`, or a method such as `infoStore.get`. */
  readonly calls: string[]
  /** Methods that were called before `open` or after `close`. */
  readonly early: string[]
  /** Runs at the beginning of `open`. */
  onOpen: () => unknown
  /** Runs at the beginning of `close`. */
  onClose: () => unknown
}

type Watched = Exclude<keyof StoreSlots, 'finisher' | 'lifecycles'>

/** Wraps the stores of a composer so that they must be open. By default they are in memory. */
export function openableStores(
  inner: StoreComposer = memoryComposer().useLocker(new MemoryLocker()),
): OpenableStores {
  let isOpen = false
  const lifecycle: Lifecycle = {
    async open() {
      stores.calls.push('open')
      await stores.onOpen()
      isOpen = true
    },
    async close() {
      stores.calls.push('close')
      isOpen = false
      await stores.onClose()
    },
  }
  const slots = inner.slots()
  const watched = <Name extends Watched>(slot: Name) =>
    new Proxy(slots[slot]!, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function' || key === 'locate') return member
        const call = `${slot}.${String(key)}`
        return (...args: unknown[]) => {
          stores.calls.push(call)
          if (!isOpen) stores.early.push(call)
          return Reflect.apply(member, target, args) as unknown
        }
      },
    }) as Required<StoreSlots>[Name]
  const stores: OpenableStores = {
    composer: memoryComposer()
      .useDataStore(watched('dataStore'))
      .useVerifiedAppender(watched('verifiedAppender'))
      .useTerminator(watched('terminator'))
      .useConcatenator(watched('concatenator'))
      .useContentReader(watched('contentReader'))
      .useInfoStore(watched('infoStore'))
      .useExpiryIndex(watched('expiryIndex'))
      .useInfoLister(watched('infoLister'))
      .useLocker(watched('locker'))
      .useLifecycle(lifecycle),
    lifecycle,
    calls: [],
    early: [],
    onOpen: () => {},
    onClose: () => {},
  }
  return stores
}
