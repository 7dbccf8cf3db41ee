import { setMaxListeners } from 'node:events'

/** Something that a case lets happen. */
export class Gate {
  readonly opened: Promise<void>
  readonly open: () => void

  constructor() {
    let open!: () => void
    this.opened = new Promise((resolve) => (open = resolve))
    this.open = open
  }
}

/** A signal that never aborts, and that any number of operations may listen to. */
export const never = new AbortController().signal
setMaxListeners(0, never)

/** Options of calls that nothing cuts short. */
export const calm = { signal: never } as const

/** Lets everything run that can run without new input. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A promise whose rejection is looked at later, or never. */
export function started<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {})
  return work
}
