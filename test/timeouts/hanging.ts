import type { StoreComposer, StoreSlots } from 'tuskit'
import { memoryComposer } from '../support/serve.js'

type Slot = keyof StoreSlots

/** A medium that hangs cannot be had in a test, so this is a fake: calls that hang when the test says so. */
export interface HangingStores {
  readonly composer: StoreComposer
  /** Calls that were under way when their signal aborted, such as `infoStore.get`. */
  readonly aborted: string[]
  /** From now on these calls hang, such as `infoStore.get`. */
  hang(...calls: readonly string[]): void
  /** The medium is back: calls that hang do what they were asked, others do not hang. */
  recover(): void
}

/**
 * Stores in memory whose calls can hang. `heeds`: a call rejects when its signal aborts; otherwise it stays where it is until
 * the medium is back.
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
