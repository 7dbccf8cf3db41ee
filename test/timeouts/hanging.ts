import type { StoreComposer, StoreSlots } from 'tuskit'
import { memoryComposer } from '../support/serve.js'

type Slot = keyof StoreSlots

/** A fake, because no storage hangs on demand: its calls hang when the test chooses. */
export interface HangingStores {
  readonly composer: StoreComposer
  /** Calls that were in progress when their signal aborted, such as `infoStore.get`. */
  readonly aborted: string[]
  /** Makes these calls hang from now on, such as `infoStore.get`. */
  hang(...calls: readonly string[]): void
  /** Brings the storage back: calls that hang do their work, and later ones do not hang. */
  recover(): void
}

/**
 * Stores in memory whose calls can hang. With `heeds`, a call rejects when its signal aborts.
 * Otherwise it hangs until the storage is back.
 */
export function hangingStores(heeds: boolean, composer = memoryComposer()): HangingStores {
  const hanging = new Set<string>()
  const aborted: string[] = []
  let back!: () => void
  let returned = new Promise<void>((resolve) => (back = resolve))

  function hung(call: string, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      void returned.then(resolve)
      signal?.addEventListener('abort', () => {
        aborted.push(call)
        if (heeds) reject(signal.reason)
      })
    })
  }

  const slots = composer.slots()
  const faked = <Name extends Slot>(slot: Name) =>
    new Proxy(slots[slot]! as object, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function') return member
        const call = `${slot}.${String(key)}`
        return (...args: unknown[]) => {
          const act = () => Reflect.apply(member, target, args) as unknown
          if (!hanging.has(call)) return act()
          const { signal } = args.at(-1) as { signal?: AbortSignal }
          return hung(call, signal).then(act)
        }
      },
    }) as Required<StoreSlots>[Name]

  composer
    .useDataStore(faked('dataStore'))
    .useInfoStore(faked('infoStore'))
    .useTerminator(faked('terminator'))
    .useContentReader(faked('contentReader'))
  if (slots.locker) composer.useLocker(faked('locker'))
  return {
    composer,
    aborted,
    hang(...calls) {
      for (const call of calls) hanging.add(call)
    },
    recover() {
      hanging.clear()
      back()
      returned = new Promise((resolve) => (back = resolve))
    },
  }
}
